package server

import (
	"net/http"
	"net/http/pprof"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/veche-im/veche/server/httpapi"
	"github.com/veche-im/veche/server/hub"
	"github.com/veche-im/veche/server/session"
	"github.com/veche-im/veche/wire"
)

// metrics counts what is done and how long it takes. Labels are methods, routes
// and codes, never a person or a room.
type metrics struct {
	registry *prometheus.Registry
	requests *prometheus.CounterVec
	seconds  *prometheus.HistogramVec
	http     *prometheus.CounterVec
	httpTime *prometheus.HistogramVec
}

func newMetrics(h *hub.Hub, damage *atomic.Int64) *metrics {
	buckets := []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 10}
	m := &metrics{
		registry: prometheus.NewRegistry(),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "veche_requests_total", Help: "Requests of devices that were answered, by method and code (ok or a refusal)."}, []string{"method", "code"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "veche_request_seconds", Help: "From the arrival of a device's request to its answer.", Buckets: buckets}, []string{"method"}),
		http: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "veche_http_requests_total", Help: "HTTP requests that were answered, by route and status."}, []string{"route", "status"}),
		httpTime: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "veche_http_request_seconds", Help: "From an HTTP request's head to the end of its answer.", Buckets: buckets}, []string{"route"}),
	}
	m.registry.MustRegister(m.requests, m.seconds, m.http, m.httpTime,
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "veche_connections", Help: "Connected devices."}, func() float64 { return float64(h.Len()) }),
		prometheus.NewCounterFunc(prometheus.CounterOpts{
			Name: "veche_damage_total", Help: "How often a part of the database was met that is damaged."}, func() float64 { return float64(damage.Load()) }),
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// stands adds a number that goes up and down.
func (m *metrics) stands(name, help string, f func() float64) {
	m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, f))
}

// grows adds a number that only grows.
func (m *metrics) grows(name, help string, f func() float64) {
	m.registry.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{Name: name, Help: help}, f))
}

// load adds what tells an overload apart: how much waits, and what was refused for
// it.
func (m *metrics) load(s *Server, sessions *session.Sessions) {
	m.grows("veche_limited_total", "Requests that were refused because they came too often.", func() float64 { return float64(s.limit.Refused()) })
	m.stands("veche_writing", "Requests of devices that are with the database's writer, or wait for it.", func() float64 { return float64(sessions.Writing()) })
	m.grows("veche_late_total", "Requests that waited too long for their turn and were not run.", func() float64 { return float64(sessions.Late()) })
	m.stands("veche_line_bytes", "Bytes of requests that wait for others of their connection.", func() float64 { return float64(sessions.InLine()) })
	m.grows("veche_line_turned_total", "Requests that were refused because too much waited already.", func() float64 { return float64(sessions.Turned()) })
	m.grows("veche_catch_ups_total", "Times that a device did not take its events, and was told to read the logs.", func() float64 { return float64(sessions.CatchUps()) })
	m.stands("veche_spreading", "Events that wait for being told to many.", func() float64 { return float64(s.hub.Waiting()) })
}

// doors adds who is at the https port without a session.
func (m *metrics) doors(sorter *sorter, https *door) {
	m.stands("veche_handshakes", "TLS handshakes that compute, or wait for that.", func() float64 {
		working, waiting, _ := sorter.keys.Counts()
		return float64(working + waiting)
	})
	m.grows("veche_handshakes_refused_total", "TLS handshakes for which there was no time.", func() float64 { return float64(sorter.refused.Load()) })
	m.stands("veche_strangers", "Connections of the https port without a device's session.", func() float64 {
		unsorted, _ := sorter.unsorted.counts()
		speak, _ := https.strangers.counts()
		return float64(unsorted + speak)
	})
	m.grows("veche_strangers_turned_total", "Of them those that were turned away, or made room for others.", func() float64 {
		_, unsorted := sorter.unsorted.counts()
		_, speak := https.strangers.counts()
		return float64(unsorted + speak)
	})
}

func (m *metrics) request(method string, code wire.Code, took time.Duration) {
	if method == "" {
		method = "unknown" // whatever name a device made up
	}
	if code == "" {
		code = "ok"
	}
	m.requests.WithLabelValues(method, string(code)).Inc()
	m.seconds.WithLabelValues(method).Observe(took.Seconds())
}

func (m *metrics) route(pattern string, status int, took time.Duration) {
	m.http.WithLabelValues(pattern, strconv.Itoa(status)).Inc()
	m.httpTime.WithLabelValues(pattern).Observe(took.Seconds())
}

// handler serves the metrics and Go's profiles. It is for loopback alone.
func (m *metrics) handler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{}))
	mux.HandleFunc("GET /debug/pprof/", pprof.Index)
	mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("GET /debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// A web site that a browser on this machine shows must not reach it by a
		// name of its own that resolves to 127.0.0.1, nor have it profile for hours.
		if !httpapi.Loopback(r.Host) || r.Header.Get("Sec-Fetch-Site") == "cross-site" {
			http.Error(w, "this request did not come from here", http.StatusForbidden)
			return
		}
		mux.ServeHTTP(w, r)
	})
}
