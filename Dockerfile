# One image, three parts: `devdns control`, `devdns resolver`, `devdns proxy`; docker-compose.yml runs them together.
# Without a package registry: put wheels of devdns's dependencies into ./wheels, and pip uses them alone.
ARG BASE=python:3.11-slim

FROM ${BASE} AS build
COPY . /src
RUN set -eu; cd /src; \
    if [ -d wheels ]; then export PIP_NO_INDEX=1 PIP_FIND_LINKS=/src/wheels; fi; \
    python3 -m venv /opt/devdns; \
    /opt/devdns/bin/pip install --quiet --no-cache-dir --constraint tests/parts/constraints.txt .

FROM ${BASE}
COPY --from=build /opt/devdns /opt/devdns
RUN mkdir -p /run/devdns && chown 65534:65534 /run/devdns && chmod 0700 /run/devdns
ENV PATH=/opt/devdns/bin:/usr/local/bin:/usr/bin:/bin PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
ENV DEVDNS_STATE_DIR=/run/devdns
USER 65534:65534
VOLUME /run/devdns
ENTRYPOINT ["devdns"]
CMD ["control"]
