# The worker as a container: `docker build -t ticketmail .`, then see compose.yaml. Settings come from the environment
# (TICKETMAIL_SPOOL=postgresql://..., TICKETMAIL_ACCOUNTS__SUPPORT__URL=smtp://...), or from a file that TICKETMAIL_SETTINGS names
# (/etc/ticketmail/ticketmail.toml, mounted read-only).
FROM python:3.12-slim AS build
WORKDIR /src
COPY pyproject.toml README.md LICENSE ./
COPY src ./src
RUN python -m venv /opt/ticketmail \
    && /opt/ticketmail/bin/pip install --no-cache-dir '.[worker,postgresql,prometheus]'

FROM python:3.12-slim
RUN useradd --system --uid 10001 --home-dir /var/lib/ticketmail --create-home ticketmail \
    && mkdir -p /etc/ticketmail
COPY --from=build /opt/ticketmail /opt/ticketmail
ENV PATH=/opt/ticketmail/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    TICKETMAIL_WORKER__HTTP=127.0.0.1:8025
USER ticketmail
WORKDIR /var/lib/ticketmail
# A SQLite spool lives here (spool = "sqlite:////var/lib/ticketmail/ticketmail.db"): a named volume on a local disk, never NFS.
VOLUME /var/lib/ticketmail
EXPOSE 8025
# That the process lives, no more: a sick spool or a refused login is not mended by a restart (outcomes wait in memory), and
# `ticketmail status` tells of them. For load balancers and rollouts there is /readyz.
HEALTHCHECK --interval=30s --timeout=5s --start-period=20s --retries=3 \
    CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:8025/healthz', timeout=4)"]
# `docker stop` sends SIGTERM: the worker lets what is in flight end. Give it time: docker stop -t 660.
STOPSIGNAL SIGTERM
ENTRYPOINT ["ticketmail"]
CMD ["worker"]
