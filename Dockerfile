FROM golang:1.26 AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
ARG VERSION= GITHASH= BUILDSTAMP=
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
USER 65532:65532
EXPOSE 8080
ENTRYPOINT ["/ecr-api"]
