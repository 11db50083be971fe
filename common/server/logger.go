package server

import (
	"io"
	"os"

	"github.com/YaleSpinup/ecr-api/common"
	"github.com/sirupsen/logrus"
)

// newLogger returns a logger that writes JSON, or text if out is a terminal.
// The level is the name of one of logrus's levels.
func newLogger(level string, out io.Writer) *logrus.Logger {
	logger := logrus.New()
	logger.SetOutput(out)
	if parsed, err := logrus.ParseLevel(level); err == nil { // the configuration was checked
		logger.SetLevel(parsed)
	}
	logger.SetFormatter(common.LogFormatter{})
	if file, ok := out.(*os.File); ok && isTerminal(file) {
		logger.SetFormatter(&textFormatter{})
	}
	return logger
}

// A textFormatter writes as logrus does on a terminal.
type textFormatter struct{ logrus.TextFormatter }

func (f *textFormatter) Format(entry *logrus.Entry) ([]byte, error) {
	return f.TextFormatter.Format(common.ExpandLogFields(entry))
}

func isTerminal(file *os.File) bool {
	info, err := file.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
