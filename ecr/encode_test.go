package ecr

import (
	"encoding/json"
	"reflect"
	"testing"

	"github.com/YaleSpinup/ecr-api/common/localaws/awstest"
	"github.com/aws/aws-sdk-go/aws/request"
	"github.com/aws/aws-sdk-go/private/protocol/json/jsonutil"
	"github.com/aws/aws-sdk-go/service/ecr"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// inputs has the types of all inputs.
var inputs = []any{
	createRepositoryInput{}, putImageTagMutabilityInput{},
	ecr.DescribeRepositoriesInput{}, describeImagesInput{}, ecr.BatchGetImageInput{}, ecr.BatchDeleteImageInput{}, ecr.ListTagsForResourceInput{},
	ecr.StartImageScanInput{}, ecr.DescribeImageScanFindingsInput{}, ecr.GetRegistryScanningConfigurationInput{},
	ecr.TagResourceInput{}, ecr.PutImageScanningConfigurationInput{}, ecr.DeleteRepositoryInput{}, ecr.GetAuthorizationTokenInput{},
	ecr.GetLifecyclePolicyInput{}, ecr.PutLifecyclePolicyInput{}, ecr.DeleteLifecyclePolicyInput{}, ecr.StartLifecyclePolicyPreviewInput{}, ecr.GetLifecyclePolicyPreviewInput{},
	ecr.GetRepositoryPolicyInput{}, ecr.SetRepositoryPolicyInput{}, ecr.DeleteRepositoryPolicyInput{},
}

// An input is written as the SDK writes it.
func TestEncode(t *testing.T) {
	t.Parallel()
	for _, input := range inputs {
		rapid.Check(t, func(t *rapid.T) {
			value := reflect.New(reflect.TypeOf(input))
			draw(t, value.Elem())
			sdks, err := jsonutil.BuildJSON(value.Interface())
			if err != nil {
				t.Fatal(err)
			}
			var want, got any
			if err := json.Unmarshal(sdks, &want); err != nil {
				t.Fatal(err)
			}
			ours := encoderOf(value.Type())(nil, value)
			if err := json.Unmarshal(ours, &got); err != nil {
				t.Fatalf("%s: %v", ours, err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%T (-SDK +ours):\n%s", input, diff)
			}
		})
	}
}

// draw sets a value, or leaves it empty.
func draw(t *rapid.T, v reflect.Value) {
	switch {
	case v.Kind() == reflect.Struct:
		for field, value := range v.Fields() {
			if field.IsExported() {
				draw(t, value)
			}
		}
	case v.Kind() == reflect.String:
		v.SetString(rapid.String().Draw(t, "text"))
	case v.Kind() == reflect.Bool:
		v.SetBool(rapid.Bool().Draw(t, "bool"))
	case v.Kind() == reflect.Int64:
		v.SetInt(int64(rapid.Int32().Draw(t, "number")))
	case rapid.Bool().Draw(t, "empty"):
	case v.Kind() == reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		draw(t, v.Elem())
	case v.Kind() == reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), rapid.IntRange(0, 3).Draw(t, "length"), 3))
		for i := range v.Len() {
			item := v.Index(i)
			if item.Kind() == reflect.Pointer { // the SDK omits no item
				item.Set(reflect.New(item.Type().Elem()))
				item = item.Elem()
			}
			draw(t, item)
		}
	}
}

// The headers and the body are those that the SDK would send.
func TestEncodedRequest(t *testing.T) {
	t.Parallel()
	client := awstest.New(t).ECR(awstest.Here)
	in := &ecr.ListTagsForResourceInput{ResourceArn: new("arn")}
	build := func() *request.Request {
		r := client.NewRequest(&request.Operation{Name: "ListTagsForResource", HTTPMethod: "POST", HTTPPath: "/"}, in, nil)
		awstest.Must(t, r.Build())
		return r
	}
	sdks := build()
	replaceEncoder(&client.Handlers)
	ours := build()
	if diff := cmp.Diff(sdks.HTTPRequest.Header, ours.HTTPRequest.Header); diff != "" {
		t.Errorf("headers (-SDK +ours):\n%s", diff)
	}
	body := make([]byte, 100)
	n, _ := ours.Body.Read(body)
	if got := string(body[:n]); got != `{"resourceArn":"arn"}` {
		t.Errorf("body %s", got)
	}
}
