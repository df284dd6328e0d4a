# One image for every part: `docker run uns run processors`, `… run connector NAME`, `… run sink NAME`, `… run page`.
# BASE may be any Debian-like image with Python 3.11 and venv.
ARG BASE=python:3.11-slim
FROM ${BASE} AS build
WORKDIR /src
COPY pyproject.toml README.md LICENSE constraints.txt ./
COPY schemas schemas
COPY topology topology
COPY connectors connectors
COPY processors processors
COPY sinks sinks
COPY uns uns
RUN python3 -m venv /opt/uns && /opt/uns/bin/pip install --no-cache-dir --disable-pip-version-check -c constraints.txt .

FROM ${BASE}
RUN groupadd --gid 10001 uns && useradd --uid 10001 --gid 10001 --home-dir /var/lib/uns --create-home uns
COPY --from=build /opt/uns /opt/uns
# Inside a container 0.0.0.0 is the container's own network; what the host opens is the ports of the compose file.
ENV PATH=/opt/uns/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    UNS_BIND=0.0.0.0 \
    UNS_LOG_FORMAT=json \
    UNS_METRICS_PORT=9100 \
    UNS_PLANT=/etc/uns/plant \
    UNS_STATE_DIR=/var/lib/uns
USER 10001:10001
VOLUME /var/lib/uns
EXPOSE 9100
HEALTHCHECK --interval=5s --timeout=3s --start-period=30s --retries=6 \
  CMD ["python3", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:9100/health/ready', timeout=2)"]
ENTRYPOINT ["uns"]
