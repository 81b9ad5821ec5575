# Sluice as one static binary: no shell, no package manager, no root. The root
# file system may be read-only; only /data is written.
FROM golang:1.26-bookworm AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
RUN CGO_ENABLED=0 go build -trimpath -ldflags="-s -w" -o /out/sluice ./cmd/sluice && mkdir /out/data

FROM scratch
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
COPY --from=build /out/sluice /sluice
COPY --from=build --chown=65532:65532 /out/data /data
USER 65532:65532
# Loopback is inside the container: which ports others reach is decided outside.
ENV SLUICE_DATA_DIR=/data SLUICE_LOG_FORMAT=json SLUICE_CONTROL_ADDR=:8081 SLUICE_STATUS_ADDR=:8082
VOLUME /data
EXPOSE 8080 8081 8082
ENTRYPOINT ["/sluice"]
CMD ["serve"]
