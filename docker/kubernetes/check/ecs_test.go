package check

import (
	stdjson "encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go/aws"
	"github.com/aws/aws-sdk-go/private/protocol/json/jsonutil"
	"github.com/aws/aws-sdk-go/service/ecs"
	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"
)

type (
	task      = ecs.RegisterTaskDefinitionInput
	container = ecs.ContainerDefinition
)

// decodeTask reads a task definition as the AWS command line does. A field that
// is unknown or given twice is an error: the SDK must send to AWS exactly what
// is in the document.
func decodeTask(document []byte) (*task, error) {
	document, err := yaml.YAMLToJSONStrict(document) // it refuses a field that is given twice
	if err != nil {
		return nil, err
	}
	decoded := &task{}
	if err := jsonutil.UnmarshalJSON(decoded, strings.NewReader(string(document))); err != nil {
		return nil, err
	}
	sent, err := jsonutil.BuildJSON(decoded)
	if err != nil {
		return nil, err
	}
	if diff := cmp.Diff(generic(document), generic(sent)); diff != "" {
		return nil, fmt.Errorf("the SDK does not know all of it (-document +SDK):\n%s", diff)
	}
	return decoded, decoded.Validate()
}

func generic(document []byte) any {
	var value any
	if err := stdjson.Unmarshal(document, &value); err != nil {
		return err
	}
	return value
}

func TestTaskIsDecodedStrictly(t *testing.T) {
	t.Parallel()
	const good = `{"family": "a", "containerDefinitions": [{"name": "b", "stopTimeout": 3}]}`
	if _, err := decodeTask([]byte(good)); err != nil {
		t.Fatal(err)
	}
	for name, document := range map[string]string{
		"unknown field":         strings.Replace(good, "stopTimeout", "stopTimeOuts", 1),
		"field of another case": strings.Replace(good, "stopTimeout", "StopTimeout", 1),
		"field twice":           strings.Replace(good, `"name": "b"`, `"name": "b", "name": "b"`, 1),
		"value of another type": strings.Replace(good, "3", `"3"`, 1),
		"missing field":         strings.Replace(good, `"family": "a", `, "", 1),
	} {
		if decoded, err := decodeTask([]byte(document)); err == nil {
			t.Errorf("%s: decoded to %v", name, decoded)
		}
	}
}

// Changes that make the task definition wrong.
var brokenTasks = map[string]func(*task, *container){
	"not on Fargate":  func(t *task, c *container) { t.RequiresCompatibilities = nil },
	"bridge":          func(t *task, c *container) { *t.NetworkMode = "bridge" },
	"no identity":     func(t *task, c *container) { t.TaskRoleArn = nil },
	"one role":        func(t *task, c *container) { t.ExecutionRoleArn = t.TaskRoleArn },
	"another port":    func(t *task, c *container) { *c.PortMappings[0].ContainerPort = 80 },
	"another image":   func(t *task, c *container) { *c.Image = "ecr-api" },
	"plain variable":  func(t *task, c *container) { *c.Environment[0].Name = "API_CONFIG" },
	"no Secret":       func(t *task, c *container) { c.Secrets = nil },
	"a parameter":     func(t *task, c *container) { *c.Secrets[0].ValueFrom = "/ecr-api" },
	"a shell":         func(t *task, c *container) { *c.HealthCheck.Command[0] = "CMD-SHELL" },
	"no health check": func(t *task, c *container) { c.HealthCheck = nil },
	"default stop":    func(t *task, c *container) { c.StopTimeout = nil },
	"early stop":      func(t *task, c *container) { *c.StopTimeout = 35 },
	"too late a stop": func(t *task, c *container) { *c.StopTimeout = 121 },
	"root":            func(t *task, c *container) { c.User = nil },
	"may write":       func(t *task, c *container) { c.ReadonlyRootFilesystem = nil },
	"capabilities":    func(t *task, c *container) { c.LinuxParameters.Capabilities.Drop = nil },
	"memory":          func(t *task, c *container) { *c.Environment[0].Value = "512MiB" },
}

func TestTaskDefinition(t *testing.T) {
	t.Parallel()
	document := []byte(read(t, root+"/docker/ecs/task-definition.json"))
	example, program := decodeAll(t, render(t, "../example")), readService(t)
	decoded := func() *task {
		definition, err := decodeTask(document)
		if err != nil {
			t.Fatal(err)
		}
		return definition
	}
	if err := checkTask(decoded(), example, program); err != nil {
		t.Error(err)
	}
	for name, change := range brokenTasks {
		t.Run("broken: "+name, func(t *testing.T) {
			broken := decoded()
			change(broken, broken.ContainerDefinitions[0])
			mustFail(t, checkTask(broken, example, program))
		})
	}
}

// checkTask returns an error unless the task agrees with the pod of the example
// and with the program.
func checkTask(t *task, example *objects, program service) error {
	c := t.ContainerDefinitions[0]
	own, starting := aws.StringValue(t.TaskRoleArn), aws.StringValue(t.ExecutionRoleArn)
	return errors.Join(
		errorUnless(slices.Equal(aws.StringValueSlice(t.RequiresCompatibilities), []string{"FARGATE"}), "not for Fargate"),
		errorUnless(aws.StringValue(t.NetworkMode) == "awsvpc", "on Fargate the network mode is awsvpc"),
		errorUnless(own == example.account.Annotations["eks.amazonaws.com/role-arn"], "its role is %q", own),
		errorUnless(starting != "" && starting != own, "the role that starts it is %q", starting),
		errorUnless(*c.Image == example.container().Image, "the image is %s", *c.Image),
		errorUnless(int32(*c.PortMappings[0].ContainerPort) == example.settings().port(), "the port is %d", *c.PortMappings[0].ContainerPort),
		taskIsConfigured(c, *t.Memory),
		taskIsRestricted(c, program),
		taskEndsInTime(c, example, program),
	)
}

func taskIsConfigured(c *container, memory string) error {
	if len(c.Secrets) != 1 || len(c.Environment) != 1 {
		return errors.New("there must be exactly one secret and one variable")
	}
	secret, variable := c.Secrets[0], c.Environment[0]
	mebibytes, err := stdjson.Number(memory).Int64()
	return errors.Join(err,
		errorUnless(*secret.Name == "API_CONFIG" && strings.HasPrefix(*secret.ValueFrom, "arn:aws:secretsmanager:"), "API_CONFIG does not come from Secrets Manager: %v", secret),
		errorUnless(*variable.Name == "GOMEMLIMIT", "%s is a plain variable", *variable.Name),
		fitsMemory(*variable.Value, mebibytes<<20),
	)
}

func taskIsRestricted(c *container, program service) error {
	return errors.Join(
		errorUnless(aws.StringValue(c.User) == program.user, "it runs as %q, but the image as %s", aws.StringValue(c.User), program.user),
		errorUnless(aws.BoolValue(c.ReadonlyRootFilesystem), "it may write to its root"),
		errorUnless(slices.Equal(aws.StringValueSlice(c.LinuxParameters.Capabilities.Drop), []string{"ALL"}), "it has capabilities"),
	)
}

// taskEndsInTime checks stopTimeout. ECS waits 30 s by default, and Fargate at
// most 120 s.
func taskEndsInTime(c *container, example *objects, program service) error {
	if c.HealthCheck == nil || c.StopTimeout == nil {
		return errors.New("the health check or the stop timeout is missing")
	}
	stop := time.Duration(*c.StopTimeout) * time.Second
	needs, err := example.settings().stopTime(program.drain)
	command := []string{"CMD", "/ecr-api", "-healthcheck"} // the image has no shell
	return errors.Join(err,
		errorUnless(stop > needs && stop <= 120*time.Second, "it has %s, but may need %s", stop, needs),
		errorUnless(slices.Equal(aws.StringValueSlice(c.HealthCheck.Command), command), "its health is checked by %v", aws.StringValueSlice(c.HealthCheck.Command)),
	)
}
