package common

import (
	"bytes"
	"encoding/json"
	"math"
	"slices"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/sirupsen/logrus"
)

// A LogFormatter writes the same lines as logrus's JSONFormatter with the times
// of time.RFC3339Nano, in half of the time. It leaves a line that has more than
// texts and numbers to the JSONFormatter.
type LogFormatter struct{}

var jsonFormatter = logrus.JSONFormatter{TimestampFormat: time.RFC3339Nano}

// Format returns the line of an entry.
func (LogFormatter) Format(entry *logrus.Entry) ([]byte, error) {
	buffer := entry.Buffer
	if buffer == nil {
		buffer = &bytes.Buffer{}
	}
	line, ok := appendLine(buffer.AvailableBuffer(), entry)
	if !ok {
		return jsonFormatter.Format(entry)
	}
	buffer.Write(line)
	return buffer.Bytes(), nil
}

// appendLine returns false if the entry is not simple enough for it.
func appendLine(b []byte, entry *logrus.Entry) ([]byte, bool) {
	names, ok := namesOf(entry)
	if !ok {
		return nil, false
	}
	separator := byte('{')
	for _, name := range names {
		b = append(appendText(append(b, separator), name), ':')
		separator = ','
		switch name {
		case logrus.FieldKeyTime:
			b = append(entry.Time.AppendFormat(append(b, '"'), time.RFC3339Nano), '"')
		case logrus.FieldKeyLevel:
			b = appendText(b, entry.Level.String())
		case logrus.FieldKeyMsg:
			b = appendText(b, entry.Message)
		default:
			if b, ok = appendValue(b, entry.Data[name]); !ok {
				return nil, false
			}
		}
	}
	return append(b, '}', '\n'), true
}

// namesOf returns the sorted names of all fields of the line. It returns false
// if logrus would write other names.
func namesOf(entry *logrus.Entry) (names []string, ok bool) {
	if entry.Caller != nil {
		return nil, false
	}
	names = append(make([]string, 0, len(entry.Data)+3), logrus.FieldKeyTime, logrus.FieldKeyLevel, logrus.FieldKeyMsg)
	for name := range entry.Data {
		switch name {
		case logrus.FieldKeyTime, logrus.FieldKeyLevel, logrus.FieldKeyMsg, logrus.FieldKeyLogrusError:
			return nil, false
		}
		names = append(names, name)
	}
	slices.Sort(names)
	return names, true
}

// appendValue returns false if it does not know the type or the form of the
// value.
func appendValue(b []byte, value any) ([]byte, bool) {
	switch value := value.(type) {
	case string:
		return appendText(b, value), true
	case int:
		return strconv.AppendInt(b, int64(value), 10), true
	case float64:
		size := math.Abs(value)
		return strconv.AppendFloat(b, value, 'f', -1, 64), size == 0 || size >= 1e-6 && size < 1e21 // others have an exponent
	case []string:
		return appendTexts(b, value), true
	}
	return nil, false
}

func appendTexts(b []byte, texts []string) []byte {
	if texts == nil {
		return append(b, "null"...)
	}
	b = append(b, '[')
	for i, text := range texts {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendText(b, text)
	}
	return append(b, ']')
}

// appendText leaves a text with characters that may need escaping to
// encoding/json.
func appendText(b []byte, text string) []byte {
	for _, c := range []byte(text) {
		if c < ' ' || c >= utf8.RuneSelf || c == '"' || c == '\\' || c == '<' || c == '>' || c == '&' {
			quoted, _ := json.Marshal(text) // a string can always be encoded
			return append(b, quoted...)
		}
	}
	return append(append(append(b, '"'), text...), '"')
}
