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

var (
	errStopping  = common.Errorf(common.Stopping, "This copy of the service is stopping. Ask another.")
	errCannotLog = common.Errorf(common.CannotLog, "This copy of the service cannot write its audit log. Ask another.")
)

// ready tells load balancers whether to send requests here. It does not call
// AWS. Otherwise trouble in AWS would make every copy unready at the same time.
func ready(s *Service, _ route) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := s.unready(); err != nil {
			writeError(w, r, err)
			return
		}
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		io.WriteString(w, "ready")
	})
}

// unready returns why no requests should be sent here. A change is made even if
// its audit line cannot be written: the log must not stop the service, and
// CloudTrail has the calls. It is the load balancer that sends changes to a
// copy that can write.
func (s *Service) unready() error {
	switch {
	case s.stopping.Load():
		return errStopping
	case s.logQueue != nil && s.logQueue.Stuck():
		return errCannotLog
	}
	return nil
}

func version(*Service, route) http.Handler {
	v := common.ReadVersion()
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		writeJSON(w, "application/json", http.StatusOK, v)
	})
}

func metrics(s *Service, _ route) http.Handler { return s.measures.handler() }
