FROM golang:1.26 AS build
WORKDIR /src
# Where modules come from, for who builds behind a proxy of modules.
ARG GOPROXY
ARG GOSUMDB
COPY go.mod go.sum ./
RUN go mod download
COPY . .
ARG VERSION=
ARG GITHASH=
ARG BUILDSTAMP=
RUN CGO_ENABLED=0 go build -trimpath -buildvcs=false -ldflags "-s -w \
      -X github.com/YaleSpinup/ecr-api/common.version=${VERSION} \
      -X github.com/YaleSpinup/ecr-api/common.githash=${GITHASH} \
      -X github.com/YaleSpinup/ecr-api/common.buildstamp=${BUILDSTAMP}" \
      -o /ecr-api .

# Nothing but the program and the certificates by which it knows AWS: no shell,
# no package, and a user that owns nothing.
FROM scratch
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
COPY --from=build /ecr-api /ecr-api
ARG VERSION=
ARG GITHASH=
ARG BUILDSTAMP=
LABEL org.opencontainers.image.title="ecr-api" \
      org.opencontainers.image.description="A REST service that manages the Amazon ECR repositories of many AWS accounts" \
      org.opencontainers.image.source="https://github.com/YaleSpinup/ecr-api" \
      org.opencontainers.image.licenses="AGPL-3.0-only" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${GITHASH}" \
      org.opencontainers.image.created="${BUILDSTAMP}"
USER 65532:65532
EXPOSE 8080
# Reads the configuration where the service does: /config/config.json or API_CONFIG.
HEALTHCHECK --interval=10s --timeout=5s --start-period=5s --retries=3 CMD ["/ecr-api", "-healthcheck"]
ENTRYPOINT ["/ecr-api"]
