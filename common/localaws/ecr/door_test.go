//lint:file-ignore SA1019 The service uses the SDK's first version.

package ecr_test

import (
	"context"
	"encoding/base64"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"testing/iotest"
	"time"

	"github.com/aws/aws-sdk-go/aws"
	"github.com/aws/aws-sdk-go/aws/credentials"
	"github.com/aws/aws-sdk-go/aws/session"
	"github.com/aws/aws-sdk-go/service/ecr"
	awssts "github.com/aws/aws-sdk-go/service/sts"

	"github.com/YaleSpinup/ecr-api/common/localaws/awstest"
	localecr "github.com/YaleSpinup/ecr-api/common/localaws/ecr"
	"github.com/YaleSpinup/ecr-api/common/localaws/service"
	"github.com/YaleSpinup/ecr-api/common/localaws/sts"
)

var doorPlace = service.Place{Account: service.AdministratorAccount, Region: awstest.Here}

// door is an ECR whose operations are also done as docker's requests do them:
// after a login with a password.
type door struct {
	later   atomic.Int64         // how far its clock is ahead, in nanoseconds
	fault   func() service.Fault // that hits each call, if set
	store   *localecr.Store
	server  *service.Server
	session *session.Session
}

func newDoor(t *testing.T, repositories ...string) *door {
	t.Helper()
	return newDoorWith(t, 1<<30, repositories...)
}

// newDoorWith returns a door with a limit of all layers.
func newDoorWith(t *testing.T, layerLimit int64, repositories ...string) *door {
	t.Helper()
	sessions := service.NewSessions()
	assuming, err := sts.New([]sts.Role{{Account: service.AdministratorAccount, Name: "ecr-api", Trust: awstest.TrustLocal, Permissions: []string{awstest.AllowAll}}}, sessions)
	awstest.Must(t, err)
	d := &door{fault: func() service.Fault { return nil }}
	now := func() time.Time { return time.Now().Add(time.Duration(d.later.Load())) }
	store := localecr.New(now, "", layerLimit)
	server := service.NewServer(service.Options{Services: []service.Service{store.Service(), assuming.Service()}, Sessions: sessions, Now: now,
		FaultFor: func(service.Call) service.Fault { return d.fault() }})
	listening := httptest.NewServer(server)
	t.Cleanup(func() {
		listening.Close()
		awstest.Must(t, store.Close())
	})
	for _, name := range repositories {
		awstest.Must(t, store.AddRepository(doorPlace, name, nil))
	}
	s := session.Must(session.NewSession(&aws.Config{Endpoint: &listening.URL, Region: aws.String(awstest.Here), MaxRetries: aws.Int(0),
		Credentials: credentials.NewStaticCredentials("key", "secret", ""), HTTPClient: &http.Client{Transport: &http.Transport{}}}))
	d.store, d.server, d.session = store, server, s
	return d
}

// advance moves the clock.
func (d *door) advance(by time.Duration) { d.later.Add(int64(by)) }

// assume returns a client with a session policy.
func (d *door) assume(t *testing.T, policy string) *ecr.ECR {
	t.Helper()
	out, err := awssts.New(d.session).AssumeRole(&awssts.AssumeRoleInput{RoleArn: awstest.RoleARN(service.AdministratorAccount, "ecr-api"),
		RoleSessionName: aws.String("test"), ExternalId: aws.String("local"), Policy: &policy})
	awstest.Must(t, err)
	return ecr.New(d.session, &aws.Config{Credentials: awstest.Issued(out)})
}

// logIn logs in as the caller of a client.
func (d *door) logIn(t *testing.T, client *ecr.ECR) *service.Login {
	t.Helper()
	out, err := client.GetAuthorizationToken(&ecr.GetAuthorizationTokenInput{})
	awstest.Must(t, err)
	text, err := base64.StdEncoding.DecodeString(*out.AuthorizationData[0].AuthorizationToken)
	awstest.Must(t, err)
	r := httptest.NewRequest("GET", "/", http.NoBody)
	user, password, _ := strings.Cut(string(text), ":")
	r.SetBasicAuth(user, password)
	login, err := d.server.LogIn(r)
	awstest.Must(t, err)
	return login
}

// perform does an operation on group/one.
func perform[Out any](login *service.Login, operation string, in service.Input) (Out, error) {
	out, err := login.Perform("ecr", operation, "group/one", in)
	if err != nil {
		var none Out
		return none, err
	}
	return out.(Out), nil
}

// wantCode is awstest.WantError for an error that no client has seen.
func wantCode(t *testing.T, name string, err error, code, text string) {
	t.Helper()
	var e *service.Error
	if !errors.As(err, &e) || e.Code != code || !strings.Contains(e.Message, text) {
		t.Errorf("%s: error %v, want %s with %q", name, err, code, text)
	}
}

var one = localecr.RepositoryID{RepositoryName: "group/one"}

// beginStream begins an upload, and returns a part of it without bytes.
func beginStream(t *testing.T, login *service.Login) localecr.UploadLayerPartInput {
	t.Helper()
	out, err := perform[localecr.InitiateLayerUploadOutput](login, "InitiateLayerUpload", localecr.InitiateLayerUploadInput{RepositoryID: one})
	awstest.Must(t, err)
	return localecr.UploadLayerPartInput{RepositoryID: one, UploadID: out.UploadID, AnyFirst: true}
}

func sendStream(login *service.Login, in localecr.UploadLayerPartInput, stream io.Reader) (last int64, err error) {
	in.Stream = stream
	out, err := perform[localecr.UploadLayerPartOutput](login, "UploadLayerPart", in)
	return out.LastByteReceived, err
}

func completeStream(login *service.Login, in localecr.UploadLayerPartInput, digest string) error {
	_, err := perform[localecr.CompleteLayerUploadOutput](login, "CompleteLayerUpload",
		localecr.CompleteLayerUploadInput{RepositoryID: one, UploadID: in.UploadID, Digests: []string{digest}, Lenient: true})
	return err
}

func TestStreamLayer(t *testing.T) {
	t.Parallel()
	d := newDoorWith(t, 10, "group/one")
	login := d.logIn(t, ecr.New(d.session))
	in := beginStream(t, login)
	for _, test := range []struct {
		stream io.Reader
		last   int64
	}{{http.NoBody, -1}, {strings.NewReader("hel"), 2}, {http.NoBody, 2}, {strings.NewReader("lo"), 4}} {
		if last, err := sendStream(login, in, test.stream); err != nil || last != test.last {
			t.Errorf("last byte %d (%v), want %d", last, err, test.last)
		}
	}
	behind := in
	behind.AnyFirst, behind.FirstByte = false, 4
	_, err := sendStream(login, behind, strings.NewReader("o"))
	wantCode(t, "overlap", err, "InvalidLayerPartException", "The upload has 5 bytes")
	awstest.Must(t, completeStream(login, in, digestOf("hello")))
	_, err = sendStream(login, in, http.NoBody)
	wantCode(t, "completed upload", err, "UploadNotFoundException", in.UploadID)

	// The layer comes again, and its hour begins anew.
	d.advance(40 * time.Minute)
	again := beginStream(t, login)
	_, err = sendStream(login, again, strings.NewReader("hello"))
	awstest.Must(t, err)
	awstest.Must(t, completeStream(login, again, digestOf("hello")))
	d.advance(40 * time.Minute)
	awstest.Must(t, completeStream(login, beginStream(t, login), digestOf("")))
	wantLayer(t, login, "hello")
	wantLayer(t, login, "")

	canceled := beginStream(t, login)
	canceled.Cancel = true
	awstest.Must(t, awstest.ErrorOf(perform[localecr.UploadLayerPartOutput](login, "UploadLayerPart", canceled)))
	_, err = sendStream(login, canceled, http.NoBody)
	wantCode(t, "canceled upload", err, "UploadNotFoundException", canceled.UploadID)

	// With the repository all bytes go, also those of a layer that came twice.
	awstest.Must(t, awstest.ErrorOf(ecr.New(d.session).DeleteRepository(&ecr.DeleteRepositoryInput{RepositoryName: aws.String("group/one")})))
	awstest.Must(t, d.store.AddRepository(doorPlace, "group/one", nil))
	_, err = sendStream(login, beginStream(t, login), strings.NewReader("0123456789"))
	awstest.Must(t, err)
}

func TestPartTooLarge(t *testing.T) {
	t.Parallel()
	d := newDoor(t, "group/one")
	login := d.logIn(t, ecr.New(d.session))
	in := beginStream(t, login)
	in.Blob, in.LastByte = make([]byte, 20<<20+1), 20<<20
	_, err := perform[localecr.UploadLayerPartOutput](login, "UploadLayerPart", in)
	wantCode(t, "too large", err, "InvalidParameterException", "'layerPartBlob' failed to satisfy constraint: 'Member must have length less than or equal to 20971520'")
}

// wantLayer fails the test unless group/one has the layer, also if no image
// names it.
func wantLayer(t *testing.T, login *service.Login, content string) {
	t.Helper()
	out, err := perform[localecr.GetDownloadURLForLayerOutput](login, "GetDownloadUrlForLayer",
		localecr.GetDownloadURLForLayerInput{RepositoryID: one, Digest: digestOf(content)})
	awstest.Must(t, err)
	layer, err := out.Open()
	awstest.Must(t, err)
	defer layer.Close()
	got, err := io.ReadAll(layer)
	if err != nil || string(got) != content || out.Size != int64(len(content)) || out.URL != "" {
		t.Errorf("%+v, with %q (%v), want %q", out, got, err, content)
	}
}

// TestTwoWriters shows that the second writer of an upload is refused, and that
// the first one can be stopped.
func TestTwoWriters(t *testing.T) {
	t.Parallel()
	d := newDoor(t, "group/one")
	login := d.logIn(t, ecr.New(d.session))
	in := beginStream(t, login)
	stream, client := io.Pipe()
	ended := make(chan error)
	go func() {
		_, err := sendStream(login, in, stream)
		stream.Close()
		ended <- err
	}()
	_, err := io.WriteString(client, "a") // the first one is busy now, without the lock
	awstest.Must(t, err)
	_, err = sendStream(login, in, strings.NewReader("b"))
	wantCode(t, "second writer", err, "InvalidLayerPartException", "another request is writing to the upload")
	wantCode(t, "complete", completeStream(login, in, digestOf("a")), "InvalidLayerPartException", "another request is writing to the upload")
	awstest.Must(t, awstest.ErrorOf(ecr.New(d.session).DeleteRepository(&ecr.DeleteRepositoryInput{RepositoryName: aws.String("group/one")})))
	go io.WriteString(client, "c") // the first one may have ended with "a"
	wantCode(t, "first writer", <-ended, "UploadNotFoundException", in.UploadID)
}

// TestSlowWriter shows that an upload is not idle while bytes come in, however
// slowly.
func TestSlowWriter(t *testing.T) {
	t.Parallel()
	d := newDoor(t, "group/one")
	client := ecr.New(d.session)
	login := d.logIn(t, client)
	in := beginStream(t, login)
	stream, sender := io.Pipe()
	ended := make(chan error)
	go func() {
		_, err := sendStream(login, in, stream)
		stream.Close()
		ended <- err
	}()
	for _, text := range []string{"a", "b"} {
		_, err := io.WriteString(sender, text)
		awstest.Must(t, err)
		d.advance(2 * time.Hour)
		wantAvailable(t, "meanwhile", client, "group/one", digestOf("ab"), false) // looks for idle uploads
	}
	awstest.Must(t, sender.Close())
	awstest.Must(t, <-ended)
	awstest.Must(t, completeStream(login, in, digestOf("ab")))
}

// stopAfter is a fault that stops the bytes of a layer.
type stopAfter int64

func (stopAfter) Before(context.Context) error { return nil }

func (n stopAfter) Flow(_ context.Context, layer io.Reader) io.Reader {
	return io.MultiReader(io.LimitReader(layer, int64(n)), iotest.ErrReader(errStopped))
}

func (stopAfter) After(_ context.Context, out any, err error) (any, error) { return out, err }

var errStopped = errors.New("stopped")

// TestFaultInLayer shows that a fault can stop the bytes of a layer on each of
// their ways. What comes by a stream stays, and a part of the API does not.
func TestFaultInLayer(t *testing.T) {
	t.Parallel()
	d := newDoor(t, "group/one")
	client := ecr.New(d.session)
	login := d.logIn(t, client)
	whole := strings.Repeat("x", 100_000) // more than is sent at once
	upload(t, client, "group/one", whole)
	awstest.Must(t, put(client, naming(whole), ""))
	in, id := beginStream(t, login), begin(t, client, "group/one")
	d.fault = func() service.Fault { return stopAfter(3) }
	if _, err := sendStream(login, in, iotest.OneByteReader(strings.NewReader("abcdef"))); err == nil || !strings.Contains(err.Error(), "stopped") {
		t.Errorf("a stream ends with %v", err)
	}
	awstest.WantError(t, "a part", awstest.ErrorOf(send(client, "group/one", id, 0, "abcdef")), "ServerException", "stopped")
	out, err := perform[localecr.GetDownloadURLForLayerOutput](login, "GetDownloadUrlForLayer", localecr.GetDownloadURLForLayerInput{RepositoryID: one, Digest: digestOf(whole)})
	awstest.Must(t, err)
	layer, err := out.Open()
	awstest.Must(t, err)
	defer layer.Close()
	if _, err := io.ReadAll(layer); !errors.Is(err, errStopped) {
		t.Errorf("the layer ends with %v", err)
	}
	url, err := downloadURL(client, "group/one", digestOf(whole))
	awstest.Must(t, err)
	downloads := httptest.NewServer(http.HandlerFunc(d.store.ServeDownload))
	defer downloads.Close()
	answer, err := http.Get(downloads.URL + (*url.DownloadUrl)[strings.Index(*url.DownloadUrl, "/layers/"):])
	awstest.Must(t, err)
	defer answer.Body.Close()
	if _, err := io.ReadAll(answer.Body); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("the URL's answer ends with %v", err)
	}

	d.fault = func() service.Fault { return nil }
	if last, err := sendStream(login, in, http.NoBody); err != nil || last != 2 {
		t.Errorf("the stream's last byte is %d (%v), want 2", last, err)
	}
	awstest.Must(t, awstest.ErrorOf(send(client, "group/one", id, 0, "abcdef")))
}

func TestMountLayer(t *testing.T) {
	t.Parallel()
	d := newDoorWith(t, 5, "group/one", "group/two", "other/three")
	client := ecr.New(d.session)
	digest := upload(t, client, "group/two", "layer")
	mount := func(login *service.Login, from, digest string) (taken bool, err error) {
		out, err := perform[localecr.InitiateLayerUploadOutput](login, "InitiateLayerUpload",
			localecr.MountLayerInput{InitiateLayerUploadInput: localecr.InitiateLayerUploadInput{RepositoryID: one}, From: from, Digest: digest})
		return out.UploadID == "", err
	}
	const all = "arn:aws:ecr:us-east-1:012345678901:repository/"
	allowed := d.logIn(t, d.assume(t, document(allowing("*", "ecr:GetAuthorizationToken", "ecr:InitiateLayerUpload"), allowing(all+"group/*", "ecr:GetDownloadUrlForLayer"))))
	for _, test := range []struct {
		name, from, digest string
		taken              bool
	}{
		{"another layer", "group/two", digestOf("x"), false},
		{"no repository", "group/none", digest, false},
		{"no source", "", digest, false},
		{"there", "group/two", digest, true},
		{"there, again", "group/two", digest, true},
	} {
		if taken, err := mount(allowed, test.from, test.digest); err != nil || taken != test.taken {
			t.Errorf("%s: taken over: %v (%v), want %v", test.name, taken, err, test.taken)
		}
	}
	_, err := mount(allowed, "other/three", digest)
	wantCode(t, "source is not allowed", err, "AccessDeniedException", "perform: ecr:GetDownloadUrlForLayer on resource: "+all+"other/three because")
	reader := d.logIn(t, d.assume(t, document(allowing("*", "ecr:GetAuthorizationToken", "ecr:GetDownloadUrlForLayer"))))
	_, err = mount(reader, "group/two", digest)
	wantCode(t, "target is not allowed", err, "AccessDeniedException", "perform: ecr:InitiateLayerUpload on resource: "+all+"group/one because")

	awstest.Must(t, awstest.ErrorOf(client.DeleteRepository(&ecr.DeleteRepositoryInput{RepositoryName: aws.String("group/two")})))
	login := d.logIn(t, client)
	wantLayer(t, login, "layer")

	// It was taken over twice, and goes with the repository all the same.
	awstest.Must(t, awstest.ErrorOf(client.DeleteRepository(&ecr.DeleteRepositoryInput{RepositoryName: aws.String("group/one")})))
	awstest.Must(t, d.store.AddRepository(doorPlace, "group/one", nil))
	_, err = sendStream(login, beginStream(t, login), strings.NewReader("other"))
	awstest.Must(t, err)
}

// TestPutImageStrict shows what must be there for an image that docker pushes.
func TestPutImageStrict(t *testing.T) {
	t.Parallel()
	d := newDoor(t, "group/one")
	client := ecr.New(d.session)
	login := d.logIn(t, client)
	putStrict := func(manifest string) error {
		_, err := perform[localecr.PutImageOutput](login, "PutImage", &localecr.PutImageInput{RepositoryID: one, Manifest: manifest, Strict: true})
		return err
	}
	wantMissing := func(contents ...string) {
		t.Helper()
		wantCode(t, "missing layers", putStrict(naming("a", "b", "b")), "LayersNotFoundException", "Layers with digests '["+strings.Join(contents, ", ")+
			"]' required for pushing image into repository with name 'group/one' in the registry with id '012345678901' do not exist")
	}
	a, b, config := digestOf("a"), digestOf("b"), digestOf("{}")
	wantMissing(b, config, a) // in this order
	upload(t, client, "group/one", "a")
	wantMissing(b, config)
	upload(t, client, "group/one", "b")
	wantMissing(config)
	upload(t, client, "group/one", "{}")
	awstest.Must(t, putStrict(naming("a", "b", "b")))

	foreign := `{"schemaVersion":2,"mediaType":"` + ociManifest + `","config":{"mediaType":"x","digest":"` + config + `","size":2},"layers":[
		{"mediaType":"application/vnd.docker.image.rootfs.foreign.diff.tar.gzip","digest":"` + digestOf("f") + `","size":1},
		{"mediaType":"application/vnd.oci.image.layer.nondistributable.v1.tar+zstd","digest":"` + digestOf("g") + `","size":1}]}`
	awstest.Must(t, putStrict(foreign))
}

// TestStreamMemory shows that 100 MB go in and out with little memory.
func TestStreamMemory(t *testing.T) {
	d := newDoor(t, "group/one")
	login := d.logIn(t, ecr.New(d.session))
	in := beginStream(t, login)
	const size = 100 << 20
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, err := sendStream(login, in, io.LimitReader(zeros{}, size))
	awstest.Must(t, err)
	// sha256sum of 100 MiB of zeros
	const digest = "sha256:20492a4d0d84f8beb1767f6616229f85d44c2827b64bdbfb260ee12fa1109e0e"
	awstest.Must(t, completeStream(login, in, digest))
	out, err := perform[localecr.GetDownloadURLForLayerOutput](login, "GetDownloadUrlForLayer", localecr.GetDownloadURLForLayerInput{RepositoryID: one, Digest: digest})
	awstest.Must(t, err)
	layer, err := out.Open()
	awstest.Must(t, err)
	defer layer.Close()
	n, err := io.Copy(struct{ io.Writer }{io.Discard}, struct{ io.Reader }{layer})
	awstest.Must(t, err)
	runtime.ReadMemStats(&after)
	if allocated := after.TotalAlloc - before.TotalAlloc; n != size || allocated > 1<<20 {
		t.Errorf("%d bytes came out, with %d allocated", n, allocated)
	}
}

// zeros is a stream of zeros without an end.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}
