package program

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
)

// memoryCgroups are the places where Linux takes a limit on memory: version 1
// of cgroups and version 2.
// https://docs.kernel.org/admin-guide/cgroup-v2.html#memory
var memoryCgroups = []struct{ parent, limit string }{
	{"/sys/fs/cgroup/memory", "memory.limit_in_bytes"},
	{"/sys/fs/cgroup", "memory.max"},
}

// limitMemory has the process killed when it takes more memory, as in a
// container. It returns false if this system does not let the test do that.
func limitMemory(t *testing.T, command *exec.Cmd, bytes int) bool {
	t.Helper()
	pid := command.Process.Pid
	for _, cgroup := range memoryCgroups {
		dir := filepath.Join(cgroup.parent, fmt.Sprintf("ecr-api-test-%d", pid))
		if os.Mkdir(dir, 0o755) != nil {
			continue
		}
		t.Cleanup(func() {
			command.Process.Kill()
			command.Wait() // an error says that it was killed
			if err := os.Remove(dir); err != nil {
				t.Error(err)
			}
		})
		err := errors.Join(
			writeNumber(filepath.Join(dir, cgroup.limit), bytes),
			writeNumber(filepath.Join(dir, "cgroup.procs"), pid),
		)
		if err == nil {
			return true
		}
	}
	return false
}

func writeNumber(file string, n int) error {
	f, err := os.OpenFile(file, os.O_WRONLY, 0) // it is there, if anything is limited
	if err != nil {
		return err
	}
	_, err = f.WriteString(strconv.Itoa(n))
	return errors.Join(err, f.Close())
}
