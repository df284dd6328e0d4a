# One image for every part: `docker run uns run processors`, `… run connector NAME`, `… run sink NAME`, `… run page`.
# BASE may be any Debian-like image with Python 3.11 and venv. A tag moves; a digest does not, and so the same commit
# builds the same image: BASE_DIGEST=sha256:…, as `docker buildx imagetools inspect $BASE` prints it.
ARG BASE=python:3.11-slim-bookworm
ARG BASE_DIGEST=
FROM ${BASE}${BASE_DIGEST:+@}${BASE_DIGEST} AS build
WORKDIR /src
COPY constraints.txt ./
# What takes long depends on nothing of ours; each step below is repeated only when what it copies has changed.
RUN python3 -m venv /opt/tools && /opt/tools/bin/pip install --no-cache-dir --disable-pip-version-check -c constraints.txt cyclonedx-bom
COPY pyproject.toml README.md LICENSE ./
COPY schemas schemas
COPY topology topology
COPY connectors connectors
COPY processors processors
COPY sinks sinks
COPY uns uns
# Extras that a part in a container may need; the embedded services are for one machine without containers.
ARG EXTRAS=[parquet,sftp]
RUN python3 -m venv /opt/uns \
 && /opt/uns/bin/pip install --no-cache-dir --disable-pip-version-check -c constraints.txt ".${EXTRAS}" \
 && /opt/tools/bin/cyclonedx-py environment --pyproject pyproject.toml --output-reproducible \
    --output-file /opt/uns/sbom.cdx.json /opt/uns/bin/python

FROM ${BASE}${BASE_DIGEST:+@}${BASE_DIGEST}
ARG BASE
ARG BASE_DIGEST
ARG VERSION=0.1.0
ARG REVISION=
ARG CREATED=
LABEL org.opencontainers.image.title="uns-backbone" \
      org.opencontainers.image.description="A unified namespace backbone on Kafka: connectors, exact stream folds, sinks and screens" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.created="${CREATED}" \
      org.opencontainers.image.base.name="${BASE}" \
      org.opencontainers.image.base.digest="${BASE_DIGEST}"
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
# Each asks a running part and takes a tenth of a second of processor: often enough to order a start, seldom enough for many.
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=6 CMD ["uns", "health"]
ENTRYPOINT ["uns"]
