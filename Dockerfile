FROM python:3.11-slim AS build
WORKDIR /src
COPY pyproject.toml README.md LICENSE ./
COPY src ./src
RUN pip install --no-cache-dir --prefix=/install '.[worker,postgresql,prometheus]'

FROM python:3.11-slim
COPY --from=build /install /usr/local
RUN useradd --system --create-home --home-dir /var/lib/ticketmail ticketmail
USER ticketmail
WORKDIR /var/lib/ticketmail
ENV TICKETMAIL_WORKER__HTTP=127.0.0.1:9464
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=15s --timeout=5s --start-period=30s \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:9464/readyz', timeout=4)"]
ENTRYPOINT ["ticketmail"]
CMD ["worker"]
