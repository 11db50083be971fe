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

// ready tells load balancers whether to send requests here. It does not call
// AWS. Otherwise trouble in AWS would make every copy unready at the same time.
func ready(s *Service, _ route) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if s.stopping.Load() {
			writeError(w, r, common.Errorf(common.Stopping, "This copy of the service is stopping. Ask another."))
			return
		}
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		io.WriteString(w, "ready")
	})
}

func version(*Service, route) http.Handler {
	v := common.ReadVersion()
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		writeJSON(w, "application/json", http.StatusOK, v)
	})
}

func metrics(s *Service, _ route) http.Handler { return s.measures.handler() }
