package api

import (
	"io"
	"net/http"

	"github.com/YaleSpinup/ecr-api/common"
)

func ping(*Service, route) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		io.WriteString(w, "pong")
	})
}

func version(*Service, route) http.Handler {
	v := common.ReadVersion()
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		writeJSON(w, "application/json", http.StatusOK, v)
	})
}

func metrics(s *Service, _ route) http.Handler { return s.measures.handler() }
