package localaws

import "encoding/json"

// service is one of AWS's services: its protocol and what it can do.
type service struct {
	protocol   protocol
	operations map[string]operation
}

// operation is one row of a service's table.
type operation struct {
	name   string
	decode func(body []byte) (input, error)
	// needs returns what the caller must be allowed, all of it.
	needs func(s *Server, c *call, in input) []permission
	do    func(s *Server, c *call, in input) (any, error)
}

// input is the decoded input of an operation.
type input interface {
	// check reports which constraint the input breaks; it looks at nothing but the input and the
	// caller's place.
	check(c *call) error
	// repository returns the name of the repository that is meant, "" where there is none.
	repository() string
}

// Protocols of the services.
var (
	ecrProtocol = jsonProtocol{prefix: "AmazonEC2ContainerRegistry_V20150921."}
	stsProtocol = queryProtocol{version: "2011-06-15", namespace: "https://sts.amazonaws.com/doc/2011-06-15/"}
)

// services returns all services: what this AWS can do, and what a caller must be allowed for it.
func services() map[string]service {
	return map[string]service{
		"ecr": {ecrProtocol, table(
			row("CreateRepository", decodeJSON, needsCreate, (*Server).createRepository),
			row("DescribeRepositories", decodeJSON, needsDescribe, (*Server).describeRepositories),
			row("DeleteRepository", decodeJSON, needsDelete, (*Server).deleteRepository),
			row("PutImageScanningConfiguration", decodeJSON, needsOwn, (*Server).putImageScanningConfiguration),
			row("PutImageTagMutability", decodeJSON, needsOwn, (*Server).putImageTagMutability),

			row("TagResource", decodeJSON, needsTag, (*Server).tagResource),
			row("UntagResource", decodeJSON, needsUntag, (*Server).untagResource),
			row("ListTagsForResource", decodeJSON, needsOwn, (*Server).listTagsForResource),

			row("DescribeImages", decodeJSON, needsOwn, (*Server).describeImages),
			row("ListImages", decodeJSON, needsOwn, (*Server).listImages),
			row("PutImage", decodeJSON, needsOwn, (*Server).putImage),
			row("BatchGetImage", decodeJSON, needsOwn, (*Server).batchGetImage),
			row("BatchDeleteImage", decodeJSON, needsOwn, (*Server).batchDeleteImage),
			row("StartImageScan", decodeJSON, needsOwn, (*Server).startImageScan),
			row("DescribeImageScanFindings", decodeJSON, needsOwn, (*Server).describeImageScanFindings),
		)},
		"sts": {stsProtocol, table(
			row("AssumeRole", decodeAssumeRole, needsAssumeRole, (*Server).assumeRole),
			row("GetCallerIdentity", decodeNothing, needsNothing, (*Server).getCallerIdentity),
		)},
	}
}

// row makes a row of the table from functions that know the type of the input.
func row[In input](
	name string,
	decode func(body []byte) (In, error),
	needs func(s *Server, c *call, in In) []permission,
	do func(s *Server, c *call, in In) (any, error),
) operation {
	return operation{
		name:   name,
		decode: func(body []byte) (input, error) { return decode(body) },
		needs:  func(s *Server, c *call, in input) []permission { return needs(s, c, in.(In)) },
		do:     func(s *Server, c *call, in input) (any, error) { return do(s, c, in.(In)) },
	}
}

func table(rows ...operation) map[string]operation {
	operations := make(map[string]operation)
	for _, o := range rows {
		operations[o.name] = o
	}
	return operations
}

func decodeJSON[In input](body []byte) (In, error) {
	var in In
	if err := json.Unmarshal(body, &in); err != nil {
		return in, fail(codeSerialization, "%v", err)
	}
	return in, nil
}
