"""FloImg as a maker of pictures: runs a persona's workflow. The posts that show them may be on any platform."""

from __future__ import annotations

from fleet.adapters import base
from fleet.adapters.base import Action
from fleet.adapters.floimg import workflows
from fleet.adapters.floimg.adapter import FloImg
from fleet.adapters.pictures import PictureOrder
from fleet.adapters.social import PROVISION, ProvisionPayload


class FloImgPictures(FloImg):
    """The maker. One an account and process; safe to use from many threads."""

    def make(self, order: PictureOrder, *, timeout_s: float) -> str:
        """Run the persona's workflow and return the address of its first picture.

        Raises an AdapterError; a workflow that ends in failure is Refused. FloImg makes pictures only for invited
        agents, so a guest is invited first: the invitation is idempotent.
        """
        try:
            return self._run(order, timeout_s)
        except base.AccountMissing:
            if not order.is_guest:
                raise
        self.write(Action(PROVISION, order.account, order.key, ProvisionPayload()), timeout_s=timeout_s)
        return self._run(order, timeout_s)

    def _run(self, order: PictureOrder, timeout_s: float) -> str:
        persona = order.account.persona_id or "default"
        request = {"name": f"fleet-{persona}", "steps": workflows.steps(persona, order.prompt, order.workflow_type)}
        body = self._call(
            "POST", "/api/execute/sync", order.account, json=request, key=order.key, timeout_s=timeout_s
        )  # fmt: skip
        urls = body.get("imageUrls")
        if body.get("status") != "completed" or not isinstance(urls, list) or not urls or not isinstance(urls[0], str):
            raise base.Refused(f"the workflow made no picture ({str(body.get('error', 'no reason given'))[:200]})")
        return urls[0]
