package localaws

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
)

// isFaultsPath tells the requests that are about faults from the calls of AWS.
func isFaultsPath(path string) bool {
	return path == "/faults" || strings.HasPrefix(path, "/faults/")
}

// newFaultsHandler puts faults and takes them away over HTTP. It asks for no token, as this AWS lets
// in everybody.
func (s *Server) newFaultsHandler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /faults", s.listFaults)
	mux.HandleFunc("POST /faults", s.addFault)
	mux.HandleFunc("DELETE /faults", s.removeFaults)
	mux.HandleFunc("GET /faults/{id}", s.showFault)
	mux.HandleFunc("DELETE /faults/{id}", s.removeFault)
	mux.HandleFunc("/faults", refuseMethod("DELETE, GET, HEAD, POST"))
	mux.HandleFunc("/faults/{id}", refuseMethod("DELETE, GET, HEAD"))
	mux.HandleFunc("/faults/", noFault)
	return mux
}

func (s *Server) listFaults(w http.ResponseWriter, _ *http.Request) {
	list := []faultInForce{} // [] and not null where there is none
	for _, a := range s.faults.inForce() {
		list = append(list, a.show())
	}
	writeJSON(w, http.StatusOK, list)
}

func (s *Server) addFault(w http.ResponseWriter, r *http.Request) {
	f, err := readFault(http.MaxBytesReader(w, r.Body, 64<<10))
	if err == nil {
		err = s.checkFault(f)
	}
	if err != nil {
		refuse(w, http.StatusBadRequest, err.Error())
		return
	}
	a := armed{Fault: f, id: s.faults.add(f)}
	w.Header().Set("Location", fmt.Sprintf("/faults/%d", a.id))
	writeJSON(w, http.StatusCreated, a.show())
}

func (s *Server) showFault(w http.ResponseWriter, r *http.Request) {
	id := faultID(r)
	for _, a := range s.faults.inForce() {
		if a.id == id {
			writeJSON(w, http.StatusOK, a.show())
			return
		}
	}
	noFault(w, r)
}

func (s *Server) removeFault(w http.ResponseWriter, r *http.Request) {
	if !s.faults.remove(faultID(r)) {
		noFault(w, r)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// faultID returns the id in the path; one that no fault has if that is not a number.
func faultID(r *http.Request) int {
	id, err := strconv.Atoi(r.PathValue("id"))
	if err != nil {
		return 0
	}
	return id
}

func (s *Server) removeFaults(w http.ResponseWriter, _ *http.Request) {
	s.faults.removeAll()
	w.WriteHeader(http.StatusNoContent)
}

func noFault(w http.ResponseWriter, r *http.Request) {
	refuse(w, http.StatusNotFound, fmt.Sprintf("there is no %s; GET /faults lists the faults in force", r.URL.Path))
}

func refuseMethod(allowed string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Allow", allowed)
		refuse(w, http.StatusMethodNotAllowed, fmt.Sprintf("%s takes %s, not %s", r.URL.Path, allowed, r.Method))
	}
}

func refuse(w http.ResponseWriter, status int, why string) {
	writeJSON(w, status, map[string]string{"error": why})
}

func writeJSON(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(body) // a client that has gone is no error of ours
}
