"""The feature approvals: requests for approval, rules and decisions."""

from __future__ import annotations

from fleet.engine.registry import AgentType, Check, CheckStage, Command, EventType, Feature, NavItem, SystemAgent

_DESCRIBE = "fleet.features.approvals.event_text:describe"

FEATURE = Feature(
    name="approvals",
    help="Requests for approval, rules and decisions.",
    settings="fleet.features.approvals.settings:ApprovalsSettings",
    api=(
        "fleet.features.approvals.api.waiting:router",
        "fleet.features.approvals.api.questions:router",
        "fleet.features.approvals.api.rules:router",
        "fleet.features.approvals.api:router",
    ),
    pages=(
        "fleet.features.approvals.pages.decisions:router",
        "fleet.features.approvals.pages.rules:router",
        "fleet.features.approvals.pages.queue:router",
    ),
    agent_deleting="fleet.features.approvals.service:withdraw_of_agent",
    refuse_name="fleet.features.approvals.ruleset.rule_users:refuse_name",
    templates=__package__,
    nav=(
        NavItem(
            path="/review",
            label="Review",
            permission="drafts.view",
            group="Work",
            order=80,
            tally="fleet.features.approvals.queries:tally",
            icon="M4 12.5 9 17.5 20 6.5",
        ),
    ),
    commands=(
        Command(
            name="approvals",
            run="fleet.features.approvals.cli:approvals",
            section="Act",
            order=70,
            help="List, show and decide approval requests.",
        ),
    ),
    checks=(
        Check(about="approvals", run="fleet.features.approvals.checks:rules"),
        Check(about="approvals", run="fleet.features.approvals.checks:users", stage=CheckStage.TABLES),
    ),
    agents=(
        AgentType(
            kind="approval",
            behaviour="fleet.features.approvals.agent",
            system=SystemAgent(
                username="fleet_approvals",
                name="Approvals",
                every_s=60,
                personality="Announces requests for approval, reminds, escalates, and ends those whose time is over.",
            ),
        ),
    ),
    pruners=("fleet.features.approvals.requests.maintenance:prune",),
    tables=("fleet.features.approvals.models",),
    checks_before_serving=("fleet.features.approvals.ruleset.rule_users:refuse_unknown",),
    checks_at_start=("fleet.features.approvals.service:check",),
    extends={
        "approvals.effects": (
            "fleet.features.approvals.effects.retry:EFFECTS",
            "fleet.features.approvals.asking.consent:EFFECTS",
        ),
        "jobs.consent": ("fleet.features.approvals.asking.consent:seek",),
        "agents.owner_changed": ("fleet.features.approvals.agent_owners:changed",),
        "verbs.gate": ("fleet.features.approvals.asking:gate",),
        "verbs.approved": ("fleet.features.approvals.asking.grants:listed",),
        "verbs": ("fleet.features.approvals.ruleset.verbs:CHANGE",),
        "verbs.request": ("fleet.features.approvals.api:whole_request",),
    },
    events=(
        EventType(
            subject="approval.requested", describe=_DESCRIBE, sign="🙋", tone="yellow", icon="hand", family="drafts"
        ),
        EventType(subject="approval.voted", describe=_DESCRIBE, sign="✔", icon="hand", family="drafts", is_quiet=True),
        EventType(subject="approval.amended", describe=_DESCRIBE, sign="✎", tone="blue", icon="pen", family="drafts"),
        EventType(
            subject="approval.escalated", describe=_DESCRIBE, sign="⏫", tone="yellow", icon="hand", family="drafts"
        ),
        EventType(
            subject="approval.reminder", describe=_DESCRIBE, sign="⏳", tone="yellow", icon="clock", family="drafts"
        ),
        EventType(
            subject="approval.approved", describe=_DESCRIBE, sign="✔", tone="green", icon="tick", family="drafts"
        ),
        EventType(subject="approval.rejected", describe=_DESCRIBE, sign="✖", tone="red", icon="cross", family="drafts"),
        EventType(
            subject="approval.expired", describe=_DESCRIBE, sign="⌛", tone="yellow", icon="clock", family="trouble"
        ),
        EventType(subject="approval.withdrawn", describe=_DESCRIBE, sign="–", icon="hand", family="drafts"),
        EventType(
            subject="approval_rules.changed",
            words="approval rules {change}, by {by}",
            reason=("reason",),
            family="people",
        ),
    ),
    metrics=("fleet.features.approvals.metrics:METRICS",),
)
