package api

import "github.com/prometheus/client_golang/prometheus"

// An EarlyClose says why the service closed a connection that it would
// otherwise have kept.
type EarlyClose string

// The EarlyCloses.
const (
	GaveWayIdle EarlyClose = "idle"    // it was idle, and there was no room for a new one
	GaveWaySlow EarlyClose = "slow"    // the same, but it was sending a request or reading an answer
	Stalled     EarlyClose = "stalled" // its caller did not read the answer
)

// Connections are the metrics of connections. Package server keeps them.
type Connections struct {
	Open         prometheus.Gauge
	ClosedEarly  *prometheus.CounterVec // by EarlyClose
	LimitReached prometheus.Counter     // by new connections
}

// NewConnections returns the metrics. The one of the limit is one of those of
// all limits.
func NewConnections(limitReached prometheus.Counter) *Connections {
	c := &Connections{
		Open:         prometheus.NewGauge(prometheus.GaugeOpts{Name: "ecr_api_open_connections", Help: "Connections of callers that are open now."}),
		ClosedEarly:  counters("connections_closed_total", "Connections closed early: idle or slow ones for a new one, and stalled ones.", "reason"),
		LimitReached: limitReached,
	}
	for _, reason := range []EarlyClose{GaveWayIdle, GaveWaySlow, Stalled} {
		c.ClosedEarly.WithLabelValues(string(reason))
	}
	return c
}

// Connections returns the metrics of the service's connections.
func (s *Service) Connections() *Connections { return s.measures.connections }
