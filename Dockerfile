# One image for every process of docker-compose.yml; each service says which command it is.
# The first stage holds pip and what makes the wheel; the second has only what runs.

FROM python:3.12-slim@sha256:78387bc3881b8273120a12ebe6c1ab22b018ccc2c9adf565ae1ac9b536e184ea AS build
WORKDIR /src
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore
# The locks change seldom, the code often: these layers are kept from one build to the next.
COPY deploy/runtime.lock deploy/build.lock deploy/
RUN python -m venv --without-pip /opt/fleet \
    && pip --python /opt/fleet/bin/python install --require-hashes -r deploy/runtime.lock \
    && pip install --require-hashes -r deploy/build.lock
COPY pyproject.toml README.md LICENSE beat_schedule.py ./
COPY fleet fleet
COPY workers workers
COPY migrations migrations
COPY personas personas
RUN pip wheel --no-deps --no-build-isolation --wheel-dir /wheels . \
    && pip --python /opt/fleet/bin/python install --no-deps /wheels/*.whl

FROM python:3.12-slim@sha256:78387bc3881b8273120a12ebe6c1ab22b018ccc2c9adf565ae1ac9b536e184ea
# A user without a name, a shell or a home; its number is high enough to be nobody's on the host.
RUN install -d -o 10001 -g 10001 -m 0700 /var/lib/fleet /var/lib/fleet/pictures /var/lib/fleet/objects
COPY --from=build /opt/fleet /opt/fleet
ENV PATH=/opt/fleet/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 FLEET_HOME=/var/lib/fleet
WORKDIR /var/lib/fleet
USER 10001:10001
CMD ["fleet", "--help"]
