# syntax=docker/dockerfile:1
# Two stages: the first builds, the second holds what runs, and no tools to build with.
# Everything that pip installs is pinned by hash in requirements*.txt.

ARG PYTHON_VERSION=3.13

FROM python:${PYTHON_VERSION}-slim-bookworm AS build
WORKDIR /src
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
COPY requirements.txt requirements-build.txt ./
# The dependencies change less often than the program: this layer stays when only app/ changed.
RUN python -m venv /opt/factory \
    && /opt/factory/bin/pip install --require-hashes --only-binary :all: -r requirements.txt \
    && pip install --require-hashes --only-binary :all: -r requirements-build.txt
COPY pyproject.toml README.md LICENSE ./
COPY migrations/ migrations/
COPY app/ app/
RUN pip wheel --no-deps --no-build-isolation --wheel-dir /wheels . \
    && /opt/factory/bin/pip install --no-deps --no-index /wheels/*.whl

FROM python:${PYTHON_VERSION}-slim-bookworm AS run
LABEL org.opencontainers.image.title="product-factory" \
      org.opencontainers.image.licenses="MIT"
# What PDF is laid out with. Debian's archive keeps no older versions, so none can be pinned.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends \
        fonts-liberation libharfbuzz-subset0 libpangoft2-1.0-0 \
    && rm -rf /var/lib/apt/lists/*
# A number, so that an orchestrator can see without looking inside that it is not root.
RUN useradd --system --uid 10001 --user-group --no-create-home --home-dir /var/lib/factory factory \
    && install --directory --owner=factory --group=factory --mode=0700 /var/lib/factory
COPY --from=build /opt/factory /opt/factory
ENV PATH=/opt/factory/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    FACTORY_HOST=0.0.0.0 \
    FACTORY_PORT=8000 \
    FACTORY_DATA_DIR=/var/lib/factory \
    FACTORY_LOG_FORMAT=json
WORKDIR /var/lib/factory
USER 10001:10001
EXPOSE 8000
STOPSIGNAL SIGTERM
# Alive, not ready: a container whose database is away recovers by itself, and restarting it
# would not bring the database back.
HEALTHCHECK --interval=10s --timeout=5s --start-period=20s --retries=3 \
    CMD ["python", "-c", "import http.client, os, sys; c = http.client.HTTPConnection('127.0.0.1', int(os.environ['FACTORY_PORT']), timeout=4); c.request('GET', '/livez'); sys.exit(c.getresponse().status != 200)"]
ENTRYPOINT ["factory"]
CMD ["serve"]
