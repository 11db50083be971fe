package api

import (
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// unmatched is the route label of every path that is not in the table, so that
// callers cannot make up labels.
const unmatched = "unmatched"

// measures are what Prometheus is told. Each service has its own registry.
type measures struct {
	registry *prometheus.Registry
	requests *prometheus.CounterVec
	duration *prometheus.HistogramVec
	inFlight prometheus.Gauge
}

func newMeasures() *measures {
	m := &measures{
		registry: prometheus.NewRegistry(),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "ecr_api_requests_total",
			Help: "Requests answered, by route template, method and status code.",
		}, []string{"route", "method", "code"}),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "ecr_api_request_duration_seconds",
			Help:    "Time to answer a request, by route template and method.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30},
		}, []string{"route", "method"}),
		inFlight: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "ecr_api_requests_in_flight",
			Help: "Requests being answered now.",
		}),
	}
	m.registry.MustRegister(m.requests, m.duration, m.inFlight,
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// instrument counts and times the requests of a route. Methods that HTTP does
// not know share one label.
func (m *measures) instrument(route string, next http.Handler) http.Handler {
	label := prometheus.Labels{"route": route}
	next = promhttp.InstrumentHandlerCounter(m.requests.MustCurryWith(label), next)
	next = promhttp.InstrumentHandlerDuration(m.duration.MustCurryWith(label), next)
	return promhttp.InstrumentHandlerInFlight(m.inFlight, next)
}

func (m *measures) handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{})
}
