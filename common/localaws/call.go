package localaws

import (
	"net/http"
	"time"
)

// Call is one call as the server saw it. What was not known yet when a call failed is empty.
type Call struct {
	Service, Operation string // "ecr" or "sts", "CreateRepository"
	AccessKey          string // that signed
	Principal          string // ARN, as in arn:aws:sts::012345678901:assumed-role/ecr-api/NAME
	Policy             string // session policy of the principal
	Account, Region    string // whose registry: the principal's account, the region signed for
	Repository         string // name of the repository in the call; the first of several
	ErrorCode          string // "" if the call succeeded
	RequestID          string
	Start, End         time.Time // wall clock, whatever Options.Now says
}

// Error codes of calls that got no answer.
const (
	CodeDropped    = "localaws.Dropped"    // a Fault closed the connection
	CodeClientGone = "localaws.ClientGone" // the client went during the delay of a Fault
)

// call is a Call while it is being answered.
type call struct {
	Call
	request   *http.Request
	protocol  protocol
	now       time.Time
	principal principal
	region    region // Call.Region, of its own type
}

// place is where a registry is.
type place struct{ account, region string }

func (c *call) place() place {
	return place{c.Account, c.Region}
}
