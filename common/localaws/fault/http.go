package fault

import (
	"encoding/json"
	"fmt"
	"mime"
	"net/http"
	"strconv"
)

// handler shows, adds and removes faults over HTTP.
type handler struct {
	list       *List
	operations []string
}

// NewHandler returns the HTTP control of a list, for paths that begin with
// /faults. The operations are those that a fault can name, such as
// "ecr:DescribeRepositories". No token is needed.
func NewHandler(list *List, operations []string) http.Handler {
	h := handler{list, operations}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /faults", h.showAll)
	mux.HandleFunc("POST /faults", h.add)
	mux.HandleFunc("DELETE /faults", h.removeAll)
	mux.HandleFunc("GET /faults/{id}", h.show)
	mux.HandleFunc("DELETE /faults/{id}", h.remove)
	mux.HandleFunc("/faults", refuseMethod("DELETE, GET, HEAD, POST"))
	mux.HandleFunc("/faults/{id}", refuseMethod("DELETE, GET, HEAD"))
	mux.HandleFunc("/faults/", noFault)
	return mux
}

func (h handler) showAll(w http.ResponseWriter, _ *http.Request) {
	list := []faultInForce{} // JSON writes [] and not null
	for _, a := range h.list.inForce() {
		list = append(list, a.show())
	}
	writeJSON(w, http.StatusOK, list)
}

// add adds a fault. Browsers let every web page send a body of other types.
func (h handler) add(w http.ResponseWriter, r *http.Request) {
	if kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); kind != "application/json" {
		refuse(w, http.StatusUnsupportedMediaType, "the Content-Type must be application/json")
		return
	}
	f, err := readFault(http.MaxBytesReader(w, r.Body, 64<<10))
	if err == nil {
		err = f.check(h.operations)
	}
	if err != nil {
		refuse(w, http.StatusBadRequest, err.Error())
		return
	}
	a := activeFault{Fault: f, id: h.list.add(f)}
	w.Header().Set("Location", fmt.Sprintf("/faults/%d", a.id))
	writeJSON(w, http.StatusCreated, a.show())
}

func (h handler) show(w http.ResponseWriter, r *http.Request) {
	id := faultID(r)
	for _, a := range h.list.inForce() {
		if a.id == id {
			writeJSON(w, http.StatusOK, a.show())
			return
		}
	}
	noFault(w, r)
}

func (h handler) remove(w http.ResponseWriter, r *http.Request) {
	if !h.list.remove(faultID(r)) {
		noFault(w, r)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// faultID returns the id in the path. It is 0, which no fault has, if the path
// has no number.
func faultID(r *http.Request) int {
	id, err := strconv.Atoi(r.PathValue("id"))
	if err != nil {
		return 0
	}
	return id
}

func (h handler) removeAll(w http.ResponseWriter, _ *http.Request) {
	h.list.removeAll()
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
	_ = encoder.Encode(body) // an error means that the client has hung up
}
