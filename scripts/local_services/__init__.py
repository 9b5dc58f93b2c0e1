"""The table of servers that ``scripts/services`` can run. A new one is a module with a ``SERVICE``, listed here."""

from __future__ import annotations

from local_services import dovecot, mariadb, postfix, postgresql, rabbitmq, redis, smtp_sink
from local_services.service import Service

#: In the order of starting: what others need comes first.
SERVICES: dict[str, Service] = {
    one.name: one
    for one in (
        postgresql.SERVICE,
        mariadb.SERVICE,
        rabbitmq.SERVICE,
        redis.SERVICE,
        smtp_sink.SERVICE,
        dovecot.SERVICE,
        postfix.SERVICE,
    )
}
