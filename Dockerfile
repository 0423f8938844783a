# One static binary in an image with nothing else but a CA bundle: no shell, no package manager, not root.
FROM golang:1.26 AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
RUN CGO_ENABLED=0 go build -trimpath -tags nomsgpack -ldflags "-s -w" -o /hark ./cmd/hark

FROM scratch
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
COPY --from=build /hark /hark
USER 65532:65532
EXPOSE 6001
HEALTHCHECK --interval=10s --timeout=3s CMD ["/hark", "health"]
ENTRYPOINT ["/hark"]
CMD ["serve"]
