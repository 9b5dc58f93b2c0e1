"""``ticketmail doctor``: runs the checks and shows them."""

from __future__ import annotations

from ticketmail.app.cli.checks import examine
from ticketmail.app.cli.context import Context
from ticketmail.app.usecases.report import Level, worst


def doctor(context: Context) -> int:
    """Each line ok, warn or bad with a remedy. The exit code is the worst."""
    if context.args.probe:
        from ticketmail.app.cli.probing import proved

        return proved(context)
    findings = examine(context)
    level = worst(one.level for one in findings)
    if context.out.as_json:
        context.out.json({"level": level, "findings": findings})
        return level.exit_code
    for one in findings:
        context.out.verdict(one.level, f"{one.subject}: {one.text}")
        if one.remedy and one.level is not Level.OK:
            context.out.line(f"     -> {one.remedy}")
    counts = {one: sum(finding.level is one for finding in findings) for one in Level}
    context.out.line(", ".join(f"{count} {name.value}" for name, count in counts.items()))
    return level.exit_code
