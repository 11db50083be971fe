package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
)

// A caller sends one request after another on a connection of its own. The
// client of net/http would take more processor time, because it hands each
// request to two other goroutines.
type caller struct {
	net.Conn
	out    *bufio.Writer
	in     *bufio.Reader
	buffer []byte
}

func dial(url string) (*caller, error) {
	connection, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
	if err != nil {
		return nil, err
	}
	return &caller{connection, bufio.NewWriter(connection), bufio.NewReaderSize(connection, 64<<10), make([]byte, 64<<10)}, nil
}

// send sends a request and reads the answer. A status other than 200 is an
// error.
func (c *caller) send(request *http.Request) error {
	if err := request.Write(c.out); err != nil {
		return err
	}
	if err := c.out.Flush(); err != nil {
		return err
	}
	response, err := http.ReadResponse(c.in, request)
	if err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK {
		body, _ := io.ReadAll(response.Body)
		return fmt.Errorf("%s %s: %s: %s", request.Method, request.URL.Path, response.Status, body)
	}
	for err == nil {
		_, err = response.Body.Read(c.buffer)
	}
	if err != io.EOF {
		return err
	}
	return nil
}
