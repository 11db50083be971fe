FROM golang:1.26 AS build
WORKDIR /src
# Where Go modules come from, for builds that must use a module proxy.
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

# The image holds the program and the CA certificates, which it needs to verify
# AWS. It has no shell and no packages, and its user owns no file.
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
# The health check reads the same configuration as the service:
# /config/config.json or API_CONFIG.
HEALTHCHECK --interval=10s --timeout=5s --start-period=5s --retries=3 CMD ["/ecr-api", "-healthcheck"]
ENTRYPOINT ["/ecr-api"]
