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
		Handler:                      handler,
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
