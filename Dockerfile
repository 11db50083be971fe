# The newest image whose digest several sources agree on. The Go that compiles is
# newer: the image's Go downloads it, and verifies it by Go's checksum database.
FROM golang:1.26.9@sha256:f1f0bcc2c524a3ced375fcb4d1ecb7aa371aa7070e112599aaca45cc02d0101b AS build
WORKDIR /src
# Where Go modules come from, for builds that must use a module proxy.
ARG GOPROXY
ARG GOSUMDB
COPY go.mod go.sum ./
ARG TOOLCHAIN=go1.26.11
ENV GOTOOLCHAIN=${TOOLCHAIN}
RUN go mod download
COPY . .
# The licenses and notices of all that the program is made of: its modules, Swagger
# UI, Go itself, and the program.
RUN go run github.com/google/go-licenses@v1.6.0 save . \
      --save_path=/licenses --ignore=github.com/YaleSpinup/ecr-api && \
    cp -r docker/licenses/swagger-ui-* /licenses/ && \
    mkdir /licenses/go && cp "$(go env GOROOT)/LICENSE" /licenses/go/ && \
    cp LICENSE /licenses/
ARG VERSION=
ARG GITHASH=
ARG BUILDSTAMP=
RUN CGO_ENABLED=0 go build -trimpath -buildvcs=false -ldflags "-s -w \
      -X github.com/YaleSpinup/ecr-api/common.version=${VERSION} \
      -X github.com/YaleSpinup/ecr-api/common.githash=${GITHASH} \
      -X github.com/YaleSpinup/ecr-api/common.buildstamp=${BUILDSTAMP}" \
      -o /ecr-api .
# The list of its modules, in CycloneDX.
RUN go run github.com/CycloneDX/cyclonedx-gomod/cmd/cyclonedx-gomod@v1.10.0 bin \
      -json -std -version "${VERSION:-unknown}" -output /ecr-api.cdx.json /ecr-api

# An empty directory for temporary files, in which -local keeps layers.
RUN mkdir -p /empty && mkdir -m 1777 /empty/tmp

# The image holds the program, the CA certificates, which it needs to verify AWS,
# and what the program is made of. It has no shell and no packages, and its user
# owns no file.
FROM scratch
COPY --from=build /empty /
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
COPY --from=build /licenses /licenses
COPY --from=build /ecr-api.cdx.json /ecr-api.cdx.json
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
