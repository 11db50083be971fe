package registry

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/YaleSpinup/ecr-api/test/docker"
)

// A client is a program that pushes and pulls. Its fields are the lines that a
// person would type, for sh. A line that is empty cannot be done with the client.
//
// HOST is the registry, REPO a repository, and REF an image in it by tag or
// digest. IMAGE is a folder with an image in OCI's layout, and FILES one with
// only its file. OUT is an empty folder for what is pulled: the image in OCI's
// layout, or the file.
type client struct {
	name      string
	login     string
	push      string
	pushIndex string
	pull      string
	list      string // prints the tags
	remove    string
	// rebuilds tells that the client makes an image of its own of the files, so
	// that its digest is not known before.
	rebuilds bool
	// terse are the actions of whose refusal it may show only the status 403, and
	// not AWS's sentence. The answer to a HEAD, which checks a layer, has none.
	terse []string
}

// Skopeo and buildah are made of the same library.
var (
	terse           = []string{"BatchCheckLayerAvailability"}
	terseContainers = []string{"BatchCheckLayerAvailability", "GetDownloadUrlForLayer", "ListImages"}
)

// clients are all the clients. crane and docker use plain HTTP by themselves if
// the registry is on a loopback address.
var clients = []client{
	{
		name:      "crane",
		login:     `crane auth login -u AWS --password-stdin $HOST`,
		push:      `crane push $IMAGE $REF`,
		pushIndex: `crane push $IMAGE $REF`,
		pull:      `crane pull --format oci $REF $OUT`,
		list:      `crane ls $REPO`,
		remove:    `crane delete $REF`,
		terse:     terse,
	},
	{
		name:      "skopeo",
		login:     `skopeo login --tls-verify=false -u AWS --password-stdin $HOST`,
		push:      `skopeo --insecure-policy copy --dest-tls-verify=false oci:$IMAGE docker://$REF`,
		pushIndex: `skopeo --insecure-policy copy --all --dest-tls-verify=false oci:$IMAGE docker://$REF`,
		pull:      `skopeo --insecure-policy copy --all --src-tls-verify=false docker://$REF oci:$OUT`,
		list:      `skopeo list-tags --tls-verify=false docker://$REPO`,
		remove:    `skopeo delete --tls-verify=false docker://$REF`,
		terse:     terseContainers,
	},
	{
		name:      "oras",
		login:     `oras login --plain-http -u AWS --password-stdin $HOST`,
		push:      `oras cp --to-plain-http --from-oci-layout $IMAGE:v1 $REF`,
		pushIndex: `oras cp --to-plain-http --from-oci-layout $IMAGE:v1 $REF`,
		pull:      `oras cp --from-plain-http --to-oci-layout $REF $OUT:v1`,
		list:      `oras repo tags --plain-http $REPO`,
		remove:    `oras manifest delete --force --plain-http $REF`,
		terse:     terse,
	},
	{
		name:  "buildah",
		login: `buildah login --tls-verify=false -u AWS --password-stdin $HOST`,
		push:  `buildah push --retry 0 --tls-verify=false $(buildah pull --quiet oci:$IMAGE) docker://$REF`,
		pushIndex: `buildah manifest create both && buildah manifest add --all both oci:$IMAGE &&
			buildah manifest push --all --tls-verify=false both docker://$REF`,
		pull: `buildah rmi --all --force >/dev/null && container=$(buildah from --tls-verify=false docker://$REF) &&
			cp $(buildah mount $container)/hello.txt $OUT && buildah rm $container`,
		rebuilds: true,
		terse:    terseContainers,
	},
	{
		name:  "docker",
		login: `docker login -u AWS --password-stdin $HOST`,
		push:  `tar -cf - -C $FILES . | docker import - $REF && docker push $REF`,
		pushIndex: `for a in amd64 arm64; do
				tar -cf - -C $FILES/$a . | docker import - $REF-$a && docker push $REF-$a || exit 1
			done
			docker manifest create --insecure $REF $REF-amd64 $REF-arm64 &&
				docker manifest annotate --arch amd64 $REF $REF-amd64 &&
				docker manifest annotate --arch arm64 $REF $REF-arm64 && docker manifest push $REF`,
		pull: `docker images --quiet $REPO | xargs -r docker rmi --force >/dev/null &&
			docker pull $REF && container=$(docker create $REF none) &&
			docker cp $container:/hello.txt $OUT && docker rm $container`,
		rebuilds: true,
		terse:    terse,
	},
}

// forEachClient runs a test with each client that is here.
func forEachClient(t *testing.T, test func(t *testing.T, c client)) {
	t.Helper()
	for _, c := range clients {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.want(t)
			test(t, c)
		})
	}
}

// want skips the test unless the client can be used. check.sh names clients that
// must be there.
func (c client) want(t *testing.T) {
	t.Helper()
	missing := c.missing()
	switch {
	case missing == "":
	case slices.Contains(strings.Fields(os.Getenv("NEEDED_CLIENTS")), c.name):
		t.Fatal(missing)
	default:
		t.Skip(missing)
	}
}

// missing says why the client cannot be used, "" if it can.
func (c client) missing() string {
	if c.name == "docker" {
		return docker.Missing()
	}
	if _, err := exec.LookPath(c.name); err != nil {
		return "there is no " + c.name
	}
	if c.name == "buildah" && os.Getuid() != 0 {
		return "buildah needs root here"
	}
	return ""
}

// user is somebody who has logged in with a client. He has a HOME of his own, so
// that nothing of the real user is changed, and no user has another's login.
type user struct {
	t      *testing.T
	client client
	host   string
	home   string
	env    []string
}

// logIn logs in with a password.
func (w *world) logIn(t *testing.T, c client, password string) *user {
	t.Helper()
	home, err := os.MkdirTemp("", "registry-") // buildah takes no path with capitals, as t.TempDir makes
	must(t, err)
	t.Cleanup(func() { os.RemoveAll(home) })
	u := &user{t: t, client: c, host: w.host, home: home}
	storage := filepath.Join(home, "storage.conf")
	must(t, os.WriteFile(storage, []byte("[storage]\ndriver = \"vfs\"\n"+
		"runroot = \""+home+"/run\"\ngraphroot = \""+home+"/graph\"\n"), 0o600))
	must(t, os.Mkdir(filepath.Join(home, "containers"), 0o700))
	must(t, os.WriteFile(filepath.Join(home, "containers", "policy.json"), []byte(`{"default": [{"type": "insecureAcceptAnything"}]}`), 0o600))
	u.env = append(os.Environ(), "HOME="+home, "DOCKER_CONFIG="+home, "XDG_RUNTIME_DIR="+home, "XDG_CONFIG_HOME="+home,
		"XDG_CACHE_HOME="+home, "XDG_DATA_HOME="+home, "REGISTRY_AUTH_FILE="+home+"/auth.json", "TMPDIR="+home,
		"CONTAINERS_STORAGE_CONF="+storage, "DOCKER_CLI_HINTS=false", "HOST="+w.host)
	if c.name == "docker" {
		t.Cleanup(func() { u.mustRun(forget, "") })
	}
	u.mustRun(c.login, password)
	return u
}

// forget removes the images of the registry from docker.
const forget = `docker images --format '{{.Repository}} {{.ID}}' | grep "^$HOST/" | cut -d ' ' -f 2 | sort -u | xargs -r docker rmi --force`

// run runs a line, and returns what it printed. The words are variables for it.
func (u *user) run(line, input string, words ...string) (printed string, err error) {
	u.t.Helper()
	command := exec.Command("sh", "-c", line)
	command.Env = slices.Concat(u.env, words)
	command.Stdin = strings.NewReader(input)
	out, err := command.CombinedOutput()
	return string(out), err
}

func (u *user) mustRun(line, input string, words ...string) (printed string) {
	u.t.Helper()
	printed, err := u.run(line, input, words...)
	if err != nil {
		u.t.Fatalf("%s: %v: %s", line, err, printed)
	}
	return printed
}

// namesIn returns the variables that name an image of a registry, such as
// "group/name:v1".
func (u *user) namesIn(account, region, image string) []string {
	ref := u.host + "/" + account + "/" + region + "/" + image
	repository, _, _ := strings.Cut(image, "@")
	repository, _, _ = strings.Cut(repository, ":")
	return []string{"REF=" + ref, "REPO=" + u.host + "/" + account + "/" + region + "/" + repository}
}

// folder returns a new empty folder.
func (u *user) folder() string {
	u.t.Helper()
	folder, err := os.MkdirTemp(u.home, "")
	must(u.t, err)
	return folder
}
