# The app with every library pinned and hashed. Build:  docker build --tag bids_regions .
# BASE may be any Debian 12 image; behind a mirror, give pip's settings and its certificate as secrets:
#   docker build --secret id=pip.conf,src=pip.conf --secret id=ca.crt,src=ca.crt ...   (pip.conf: cert = /run/secrets/ca.crt)
ARG BASE=debian:bookworm-slim

FROM ${BASE} AS build
# Versions of Debian packages are not pinned: the archive keeps only the newest, so a pin breaks the build with the next
# security update; and what the app computes with is pinned below.
# hadolint ignore=DL3008
RUN apt-get update \
 && apt-get install --yes --no-install-recommends ca-certificates python3 python3-venv \
 && rm -rf /var/lib/apt/lists/*
RUN python3 -m venv /opt/builder && python3 -m venv --without-pip /opt/bids_regions
COPY container/requirements-build.txt container/requirements.txt /tmp/
RUN --mount=type=secret,id=pip.conf,target=/etc/pip.conf \
    --mount=type=secret,id=ca.crt,target=/run/secrets/ca.crt \
    /opt/builder/bin/python -m pip install --no-cache-dir --require-hashes --only-binary :all: \
      --requirement /tmp/requirements-build.txt \
 && /opt/builder/bin/python -m pip wheel --no-cache-dir --require-hashes --no-build-isolation \
      --requirement /tmp/requirements.txt --wheel-dir /tmp/wheels
COPY . /src
WORKDIR /src
# The app itself; then without the libraries' own tests and C sources (a fifth of their size), with byte-code that names no time, so
# that two builds agree; the command runs isolated (-I), so that nothing of a host's Python leaks in.
RUN /opt/builder/bin/python -m pip wheel --no-cache-dir --no-index --no-deps --no-build-isolation --wheel-dir /tmp/wheels . \
 && /opt/builder/bin/python -m pip --python /opt/bids_regions/bin/python install --no-cache-dir --no-compile --no-index \
      --no-deps /tmp/wheels/*.whl \
 && find /opt/bids_regions -depth -type d -name tests -not -path '*/numpy/testing/*' -exec rm -rf {} + \
 && find /opt/bids_regions -type f -regex '.*[.]\(c\|h\|pyx\|pxd\|pyi\)' -delete \
 && PYTHONHASHSEED=0 /opt/bids_regions/bin/python -m compileall -q --invalidation-mode unchecked-hash \
      /opt/bids_regions/lib \
 && PYTHONHASHSEED=0 /opt/bids_regions/bin/python -I -c \
      'from bids_regions.report.pages import compile_templates; compile_templates()' \
 && sed -i '1s|.*|#!/opt/bids_regions/bin/python3 -I|' /opt/bids_regions/bin/bids_regions \
      /opt/bids_regions/bin/bids-regions /opt/bids_regions/bin/bids_regions-import \
 && /opt/bids_regions/bin/python -I -c 'import bids_regions.version as v; print(v.__version__)' >/opt/version \
 && chmod -R a+rX,go-w /opt

FROM ${BASE}
ARG VERSION=0.2.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="bids_regions" \
      org.opencontainers.image.description="From a statistical map to its regions: a BIDS App" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.licenses="Apache-2.0"
# Not pinned, as above.
# hadolint ignore=DL3008
RUN apt-get update \
 && apt-get install --yes --no-install-recommends python3 \
 && rm -rf /var/lib/apt/lists/* /var/cache/apt/* /var/log/apt /var/log/dpkg.log /var/cache/debconf/*-old \
 && mkdir -m 755 /data /out /templateflow \
 && chown 1000:1000 /out
COPY --from=build /opt/bids_regions /opt/bids_regions
COPY --from=build /opt/version /version
# One thread within a map: the app's own processes are what runs side by side. matplotlib keeps its settings in /tmp, or
# in the app's own temporary folder where that cannot be written. TemplateFlow's atlases are looked for in /templateflow.
ENV PATH=/opt/bids_regions/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
    LC_ALL=C.UTF-8 \
    PYTHONNOUSERSITE=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    OMP_NUM_THREADS=1 \
    OPENBLAS_NUM_THREADS=1 \
    MPLCONFIGDIR=/tmp/matplotlib \
    TEMPLATEFLOW_HOME=/templateflow \
    BIDS_REGIONS_DOCKER_TAG=${VERSION}
USER 1000:1000
WORKDIR /tmp
ENTRYPOINT ["/opt/bids_regions/bin/bids_regions"]
