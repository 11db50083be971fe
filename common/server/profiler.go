package server

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	_ "net/http/pprof" // adds itself to http.DefaultServeMux, which only startProfiler serves
	"syscall"

	"github.com/YaleSpinup/ecr-api/common"
)

// startProfiler serves Go's profiler until the process ends, if an address is
// configured for it.
func (s *server) startProfiler() error {
	if s.Config.PprofAddress == "" {
		return nil
	}
	listener, err := net.Listen("tcp", s.Config.PprofAddress)
	if errors.Is(err, syscall.EADDRINUSE) {
		return fmt.Errorf("pprofAddress: %w: choose another pprofAddress, or leave it empty", err)
	}
	if err != nil {
		return fmt.Errorf("pprofAddress: %w", err)
	}
	s.log.WithField("url", "http://"+listener.Addr().String()+"/debug/pprof/").Info("profiling")
	go http.Serve(listener, common.GuardLocal(http.DefaultServeMux))
	return nil
}
