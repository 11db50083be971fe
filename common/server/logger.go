package server

import (
	"context"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/YaleSpinup/ecr-api/common"
	"github.com/sirupsen/logrus"
)

// complainTime is how long the last line may take.
const complainTime = 200 * time.Millisecond

// newQueuedLogger returns a logger as newLogger does. It writes through the
// queue, so that nobody who logs waits for a reader of the log.
func newQueuedLogger(level string, out io.Writer) (*logrus.Logger, *common.LogQueue) {
	logger := newLogger(level, out)
	queue := common.NewLogQueue(out, func(lost common.LostLines) []byte { return lossLine(logger, lost) })
	logger.SetOutput(queue)
	return logger, queue
}

// lossLine returns the line that says how many lines were lost.
func lossLine(logger *logrus.Logger, lost common.LostLines) []byte {
	entry := logger.WithFields(logrus.Fields{"lostAuditLines": int(lost.Audit), "lostOtherLines": int(lost.Other)})
	entry.Time, entry.Level = time.Now(), logrus.ErrorLevel
	entry.Message = fmt.Sprintf("%d log lines were lost: they could not be written", lost.Audit+lost.Other)
	line, err := logger.Formatter.Format(entry)
	if err != nil { // it cannot, with two numbers
		panic(err)
	}
	return line
}

// Complain writes why the program ends.
func Complain(out io.Writer, err error) {
	writeLast(out, fmt.Appendln(nil, "ecr-api:", err))
}

// LogEnd writes why the service ends as the last line of its log. At a terminal
// that is what Complain writes.
func LogEnd(log *os.File, err error) {
	if isTerminal(log) {
		Complain(log, err)
		return
	}
	writeLast(log, endLine(err))
}

func endLine(err error) []byte {
	line, failed := common.LogFormatter{}.Format(&logrus.Entry{Time: time.Now(), Level: logrus.FatalLevel, Message: err.Error()})
	if failed != nil {
		panic(failed)
	}
	return line
}

// writeLast writes the last line of the process. It does not wait long for a
// reader that does not read.
func writeLast(out io.Writer, line []byte) {
	queue := common.NewLogQueue(out, func(common.LostLines) []byte { return nil })
	queue.Write(line)
	ctx, cancel := context.WithTimeout(context.Background(), complainTime)
	defer cancel()
	queue.Close(ctx)
}

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
		text := &textFormatter{}
		// It finds out about the terminal's colors with its first line.
		text.Format(logrus.NewEntry(logger))
		logger.SetFormatter(text)
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
