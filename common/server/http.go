package server

import (
	"log"
	"net/http"
	"time"

	"github.com/sirupsen/logrus"
)

// newHTTPServer returns a server whose limits keep a slow client from occupying
// it for minutes.
func newHTTPServer(handler http.Handler, logger *logrus.Logger) *http.Server {
	return &http.Server{
		Handler:                      closeIfUnclear(handler),
		DisableGeneralOptionsHandler: true, // OPTIONS * needs the token as everything else does
		ReadHeaderTimeout:            5 * time.Second,
		ReadTimeout:                  15 * time.Second, // of the header and the body together
		// It starts at the end of the header. It is longer than any request
		// takes, and leaves time for a client that reads slowly.
		WriteTimeout: 60 * time.Second,
		// Load balancers usually close an idle connection after a minute. They
		// must be the first to close it: otherwise a request may get lost.
		IdleTimeout:    75 * time.Second,
		MaxHeaderBytes: 16 << 10,
		ErrorLog:       log.New(logger.WriterLevel(logrus.WarnLevel), "", 0),
	}
}

// closeIfUnclear closes the connection after a request that a proxy in front may
// end elsewhere than this server does. What follows it on the connection could
// be a request that the proxy did not see. Such a request has both
// Content-Length and Transfer-Encoding, of which net/http shows only the latter,
// or is of HTTP/1.0 and has Transfer-Encoding, which net/http does not show.
// https://www.rfc-editor.org/rfc/rfc9112#section-6.1
func closeIfUnclear(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if len(r.TransferEncoding) > 0 || !r.ProtoAtLeast(1, 1) {
			w.Header().Set("Connection", "close")
		}
		next.ServeHTTP(w, r)
	})
}
