# syntax=docker/dockerfile:1
# escape=\
ARG BASE=alpine:3.20 UID=1001
FROM --platform=$BUILDPLATFORM golang:1.23 AS build
SHELL ["/bin/bash", "-o", "pipefail", "-c"]
RUN --mount=type=bind,from=tools,target=/t <<EOF
useradd -u ${UID:-1001} app | tee "$(a | b)"
EOF
ONBUILD ENV A_TOKEN="x y" B=${A:+c}
FROM ${BASE}
ARG UID
COPY --from=build --chown=1:1 <<-'A' /etc/passwd /etc/
	b
	A
ADD ["a b", "/c"]
RUN case $x in a|b) apk add -t .b gcc ;; esac && \
  # é
  adduser -D -u $UID app
WORKDIR /root/é
USER app:app
EXPOSE 80/tcp 8080-8090
HEALTHCHECK --interval=1s CMD a || exit 1
ENTRYPOINT []
CMD a b
