//lint:file-ignore SA1019 The service uses the SDK's first version.

package ecr_test

import (
	"io"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go/service/ecr"

	"github.com/YaleSpinup/ecr-api/common/localaws/awstest"
	localecr "github.com/YaleSpinup/ecr-api/common/localaws/ecr"
)

// TestLayersGo shows when layers and uploads that nobody needs are removed.
func TestLayersGo(t *testing.T) {
	t.Parallel()
	b := awstest.New(t)
	client := b.ECR(awstest.Here)
	b.Add(t, "group/one")
	config, only, shared := upload(t, client, "group/one", "{}"), upload(t, client, "group/one", "only"), upload(t, client, "group/one", "shared")
	b.Advance(30 * time.Minute)
	unnamed := upload(t, client, "group/one", "unnamed")
	idle, late := begin(t, client, "group/one"), begin(t, client, "group/one")
	awstest.Must(t, put(client, naming("only", "shared"), "v1"))
	awstest.Must(t, put(client, naming("shared"), "v2"))
	b.Advance(time.Hour - time.Second)
	awstest.Must(t, awstest.ErrorOf(send(client, "group/one", late, 0, "a")))
	b.Advance(time.Minute)
	awstest.WantError(t, "idle upload", awstest.ErrorOf(send(client, "group/one", idle, 0, "a")), "UploadNotFoundException", *idle)
	wantAvailable(t, "after an hour", client, "group/one", unnamed, false)
	awstest.Must(t, awstest.ErrorOf(send(client, "group/one", late, 1, "b")))

	awstest.Must(t, deleteImage(client, "v1"))
	wantAvailable(t, "the image is gone", client, "group/one", only, false)
	wantAvailable(t, "one image names it", client, "group/one", shared, true)
	b.Advance(time.Hour)
	awstest.Must(t, deleteImage(client, "v2"))
	wantAvailable(t, "no image names it", client, "group/one", shared, false)
	wantAvailable(t, "no image names it", client, "group/one", config, false)
	unnamed = upload(t, client, "group/one", "unnamed")
	b.Advance(time.Hour)
	wantAvailable(t, "after another hour", client, "group/one", unnamed, false)
}

// TestToldLayersStay shows that a client may rely for an hour on a layer of which
// it was told that it is there, however it was told.
func TestToldLayersStay(t *testing.T) {
	t.Parallel()
	const layer = "layer"
	for name, tell := range map[string]func(t *testing.T, client *ecr.ECR){
		"check": func(t *testing.T, client *ecr.ECR) {
			wantAvailable(t, "check", client, "group/one", digestOf(layer), true)
		},
		"another upload": func(t *testing.T, client *ecr.ECR) {
			id := begin(t, client, "group/one")
			awstest.Must(t, awstest.ErrorOf(send(client, "group/one", id, 0, layer)))
			awstest.WantError(t, "complete", awstest.ErrorOf(complete(client, "group/one", id, digestOf(layer))), "LayerAlreadyExistsException", "")
		},
	} {
		for _, named := range []bool{false, true} {
			b := awstest.New(t)
			client := b.ECR(awstest.Here)
			b.Add(t, "group/one")
			upload(t, client, "group/one", layer)
			if named {
				awstest.Must(t, put(client, naming(layer), "v1"))
			}
			b.Advance(time.Hour - time.Second)
			tell(t, client)
			if named {
				b.Advance(30 * time.Minute)
				awstest.Must(t, deleteImage(client, "v1"))
				b.Advance(-30 * time.Minute)
			}
			b.Advance(time.Hour - time.Second)
			available(t, client, "group/one", digestOf("another")) // looks for old ones
			wantAvailable(t, name+", within an hour", client, "group/one", digestOf(layer), true)
			b.Advance(time.Hour)
			wantAvailable(t, name+", after an hour", client, "group/one", digestOf(layer), false)
		}
	}
}

// TestSweepsOnceAMinute shows that a call looks for what is to be removed only if
// no call has done so for a minute. Else each call would look at all uploads.
func TestSweepsOnceAMinute(t *testing.T) {
	t.Parallel()
	b := awstest.New(t)
	client := b.ECR(awstest.Here)
	b.Add(t, "group/one")
	first, second := begin(t, client, "group/one"), begin(t, client, "group/one")
	b.Advance(time.Hour - time.Second)
	begin(t, client, "group/one")
	b.Advance(30 * time.Second)
	awstest.Must(t, awstest.ErrorOf(send(client, "group/one", first, 0, "a")))
	b.Advance(30 * time.Second)
	awstest.WantError(t, "a minute later", awstest.ErrorOf(send(client, "group/one", second, 0, "a")), "UploadNotFoundException", *second)
}

// TestPushOfOldLayers shows that an image finds the layers of which its client was
// told, also if another client deletes an image that names them.
func TestPushOfOldLayers(t *testing.T) {
	t.Parallel()
	for name, before := range map[string]func(d *door, client *ecr.ECR) (want string){
		"nobody called": func(d *door, _ *ecr.ECR) string {
			d.advance(3 * time.Hour)
			return ""
		},
		"asked": func(d *door, client *ecr.ECR) string {
			d.advance(time.Hour - time.Minute)
			available(t, client, "group/one", digestOf("{}"), digestOf("layer"))
			d.advance(time.Hour - time.Minute)
			available(t, client, "group/one", digestOf("another"))
			d.advance(2 * time.Minute)
			return ""
		},
		"image deleted": func(_ *door, client *ecr.ECR) string {
			awstest.Must(t, put(client, naming("layer"), "v1"))
			awstest.Must(t, deleteImage(client, "v1"))
			return ""
		},
		"image deleted later": func(d *door, client *ecr.ECR) string {
			awstest.Must(t, put(client, naming("layer"), "v1"))
			d.advance(time.Hour)
			awstest.Must(t, deleteImage(client, "v1"))
			return "LayersNotFoundException"
		},
	} {
		d := newDoor(t, "group/one")
		client := ecr.New(d.session)
		login := d.logIn(t, client)
		upload(t, client, "group/one", "{}")
		upload(t, client, "group/one", "layer")
		want := before(d, client)
		_, err := perform[localecr.PutImageOutput](login, "PutImage", &localecr.PutImageInput{RepositoryID: one, Manifest: naming("layer"), Strict: true})
		if want != "" {
			wantCode(t, name, err, want, "")
		} else if err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestSweepAtEndOfPart has another call look for idle uploads at the moment in
// which a part that took two hours has come in.
func TestSweepAtEndOfPart(t *testing.T) {
	t.Parallel()
	d := newDoor(t, "group/one")
	login := d.logIn(t, ecr.New(d.session))
	in := beginStream(t, login)
	stream, sender := io.Pipe()
	t.Cleanup(func() { sender.Close() })
	ended := make(chan error)
	go func() {
		_, err := sendStream(login, in, stream)
		ended <- err
	}()
	_, err := io.WriteString(sender, "abc")
	awstest.Must(t, err)
	lock := d.store.Service().Lock
	lock.Lock()
	sender.Close()
	for !d.store.IsWritten(in.UploadID, "abc") {
		runtime.Gosched()
	}
	d.advance(2 * time.Hour)
	d.store.Sweep()
	lock.Unlock()
	awstest.Must(t, <-ended)
	awstest.Must(t, completeStream(login, in, digestOf("abc")))
}

// TestCompleteAgain shows that a client that has lost the answer may complete
// its upload again, while the layer is there.
func TestCompleteAgain(t *testing.T) {
	t.Parallel()
	d := newDoor(t, "group/one")
	client := ecr.New(d.session)
	login := d.logIn(t, client)
	upload(t, client, "group/one", "another")
	in := beginStream(t, login)
	in.Last = true
	sendABC := func() error { return awstest.ErrorOf(sendStream(login, in, strings.NewReader("abc"))) }
	awstest.Must(t, sendABC())
	awstest.Must(t, completeStream(login, in, digestOf("abc")))
	d.advance(40 * time.Minute)
	awstest.Must(t, completeStream(login, in, digestOf("abc")))
	awstest.Must(t, sendABC())
	awstest.Must(t, completeStream(login, in, digestOf("abc")))
	wantLayer(t, login, "abc")
	notLast := in
	notLast.Last = false
	for name, err := range map[string]error{
		"with another digest": completeStream(login, in, digestOf("another")),
		"another part":        awstest.ErrorOf(sendStream(login, notLast, http.NoBody)),
	} {
		wantCode(t, name, err, "UploadNotFoundException", in.UploadID)
	}
	awstest.WantError(t, "by the API", awstest.ErrorOf(complete(client, "group/one", &in.UploadID, digestOf("abc"))), "UploadNotFoundException", in.UploadID)

	d.advance(40 * time.Minute)
	available(t, client, "group/one", digestOf("?")) // looks for old ones
	awstest.Must(t, completeStream(login, in, digestOf("abc")))
	d.advance(40 * time.Minute)
	available(t, client, "group/one", digestOf("?"))
	wantLayer(t, login, "abc") // its hour has begun anew
	awstest.Must(t, sendABC())
	d.advance(40 * time.Minute)
	available(t, client, "group/one", digestOf("?"))
	wantCode(t, "when the layer is gone", completeStream(login, in, digestOf("abc")), "UploadNotFoundException", in.UploadID)
}

// TestOnlyTell shows that a client can ask what is there of an upload without
// disturbing the one that writes to it.
func TestOnlyTell(t *testing.T) {
	t.Parallel()
	d := newDoor(t, "group/one")
	login := d.logIn(t, ecr.New(d.session))
	in := beginStream(t, login)
	tell := localecr.UploadLayerPartInput{RepositoryID: one, UploadID: in.UploadID, OnlyTell: true}
	wantLast := func(when string, want int64) {
		t.Helper()
		out, err := perform[localecr.UploadLayerPartOutput](login, "UploadLayerPart", tell)
		if err != nil || out.LastByteReceived != want {
			t.Errorf("%s: the last byte is %d (%v), want %d", when, out.LastByteReceived, err, want)
		}
	}
	wantLast("before", -1)
	stream, sender := io.Pipe()
	t.Cleanup(func() { sender.Close() })
	ended := make(chan error)
	go func() {
		_, err := sendStream(login, in, stream)
		ended <- err
	}()
	_, err := io.WriteString(sender, "abc")
	awstest.Must(t, err)
	_, err = io.WriteString(sender, "") // it is read when the bytes before it are there
	awstest.Must(t, err)
	wantLast("meanwhile", 2)
	sender.Close()
	awstest.Must(t, <-ended)
	wantLast("afterwards", 2)
	tell.UploadID = noUpload
	_, err = perform[localecr.UploadLayerPartOutput](login, "UploadLayerPart", tell)
	wantCode(t, "no upload", err, "UploadNotFoundException", noUpload)
}
