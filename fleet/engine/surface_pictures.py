"""Pictures that a surface's workflows made, fetched from the address that the surface gives.

Passed to the gateway by `deps`. The surface chooses the address, so it is untrusted: only the surface's own origin and
the hosts of FLEET_IMAGE_HOSTS are called, by way of `fleet.images.fetch`, without a token.
"""

from __future__ import annotations

from fleet.adapters import base
from fleet.adapters.gateway import FetchPicture, NotAllowed
from fleet.adapters.pictures import PictureFile
from fleet.core.errors import InvalidInput
from fleet.core.settings import Settings
from fleet.images.addresses import Rules
from fleet.images.errors import ForbiddenAddress, NotNamed, OutOfReach, Unusable
from fleet.images.fetch import SYSTEM, FetchLimits, fetch_file
from fleet.images.wire import Network


def fetcher(maker: base.OutsideSystem, settings: Settings, network: Network = SYSTEM) -> FetchPicture:
    """Return the function that fetches the pictures of an outside system.

    Raises InvalidInput for a host in FLEET_IMAGE_HOSTS that is none.
    """
    host = f"[{maker.host}]" if ":" in maker.host else maker.host
    try:
        rules = Rules.of_surface(f"{maker.scheme}://{host}:{maker.port}", settings.image_hosts)
    except ForbiddenAddress as error:
        raise InvalidInput(
            f"The surface's address or FLEET_IMAGE_HOSTS cannot be read: {error.message}",
            fix="Write the surface's address as https://host and each of FLEET_IMAGE_HOSTS as host or host:port.",
        ) from error

    def fetch(url: str, within_s: float) -> PictureFile:
        limits = FetchLimits(total_s=min(within_s, settings.http_timeout_s))
        try:
            file = fetch_file(url, rules=rules, limits=limits, network=network)
        except NotNamed as error:
            raise NotAllowed(
                f"The surface keeps its pictures where this fleet does not fetch from: {error.message}",
                fix="If that is right, add the host to FLEET_IMAGE_HOSTS, then replay the job.",
            ) from error
        except (ForbiddenAddress, Unusable) as error:
            raise base.Refused(error.message) from error
        except OutOfReach as error:
            raise base.Unreachable(error.message) from error
        return PictureFile(file.data, file.content_type)

    return fetch
