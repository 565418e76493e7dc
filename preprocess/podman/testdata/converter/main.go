// Command converter is a converter that does what its parameter "do" says, well or not.
package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

var params = map[string]string{}

func main() {
	for i := 1; i < len(os.Args); i++ {
		key := strings.TrimPrefix(os.Args[i], "--")
		if i+1 < len(os.Args) && !strings.HasPrefix(os.Args[i+1], "--") {
			i++
			params[key] = os.Args[i]
		} else {
			params[key] = "true"
		}
	}
	if do, ok := deeds[params["do"]]; ok {
		do()
		return
	}
	fmt.Fprintln(os.Stderr, "nothing to do")
	os.Exit(2)
}

var deeds = map[string]func(){
	"convert": func() { answer(write("x.ome.tiff", "pixels")) },
	"several": func() {
		var items []item
		for i := range 3 {
			items = append(items, write(fmt.Sprintf("plate%d/x.ome.tiff", i), strings.Repeat("p", i+1)))
		}
		answer(items...)
	},
	"zarr": func() {
		write("x.zarr/.zattrs", `{"multiscales": [{"version": "0.4"}]}`)
		it := write("x.zarr/0/0", "pixels")
		if it.Full = filepath.Join(params["outputfolder"], "x.zarr"); it.Alt != "" {
			it.Alt = filepath.Join(params["altoutputfolder"], "x.zarr")
		}
		answer(it)
	},
	"say": func() {
		for i, name := range strings.Fields(params["files"]) {
			write(name, strings.Repeat("f", i+1))
		}
		fmt.Println(params["answer"])
	},
	"pass on": func() { answer(item{Full: params["inputfile"]}) },
	"fail": func() {
		fmt.Println("reading the input")
		fmt.Fprintln(os.Stderr, "ValueError: this is no image")
		os.Exit(3)
	},
	"end as one that is stopped": func() { os.Exit(128 + int(syscall.SIGTERM)) },
	"wait": func() {
		fmt.Printf("ready %d\n", time.Now().UnixNano())
		await("/data/go")
		fmt.Fprintln(os.Stderr, "a warning that is late")
		answer(write("x.ome.tiff", "pixels"))
	},
	"progress": func() {
		for _, text := range []string{"10%\r", "20%|==   | 2/10\r", "progress: 42.5 %\n", "42%\n", "100%\n", "150%\n"} {
			fmt.Fprint(os.Stderr, text)
		}
		answer(write("x.ome.tiff", "pixels"))
	},
	"environment": environment,
	"fork":        fork,
	"memory": func() {
		var all [][]byte
		for {
			all = append(all, bytes.Repeat([]byte{1}, 16<<20))
		}
	},
	"endless": func() {
		megabytes, _ := strconv.Atoi(params["megabytes"])
		out := bufio.NewWriterSize(os.Stdout, 64<<10)
		for range megabytes << 20 / 80 {
			_, _ = out.Write(line)
		}
		_ = out.Flush()
		answer(write("x.ome.tiff", "pixels"))
	},
	"long": func() {
		megabytes, _ := strconv.Atoi(params["megabytes"])
		for range megabytes {
			_, _ = os.Stderr.Write(bytes.Repeat([]byte("y"), 1<<20))
			_, _ = os.Stdout.Write(bytes.Repeat([]byte("y"), 1<<20))
		}
		fmt.Println()
		answer(write("x.ome.tiff", "pixels"))
	},
	"sleep": func() {
		milliseconds, _ := strconv.Atoi(params["milliseconds"])
		time.Sleep(time.Duration(milliseconds) * time.Millisecond)
		answer(write(filepath.Base(params["inputfile"])+".ome.tiff", "pixels"))
	},
	"stubborn": func() {
		signal.Ignore(syscall.SIGTERM)
		fmt.Println("ready")
		await("/never")
	},
	"obedient": func() {
		stop := make(chan os.Signal, 1)
		signal.Notify(stop, syscall.SIGTERM)
		answer(write("x.ome.tiff", "half of the pix"))
		<-stop
	},
	"links": func() {
		out, alt := params["outputfolder"], params["altoutputfolder"]
		it := write("y.ome.tiff", "pixels")
		_ = os.Symlink("/etc/passwd", filepath.Join(out, "link.tiff"))
		_ = os.Symlink("../..", filepath.Join(out, "up"))
		_ = os.Symlink("/etc/passwd", filepath.Join(alt, "link.tiff"))
		_ = os.Symlink("/", filepath.Join(alt, "root"))
		_ = syscall.Mkfifo(filepath.Join(out, "pipe.tiff"), 0o644)
		if params["full"] != "" {
			_ = os.Mkdir(filepath.Join(out, "z.zarr"), 0o755)
			_ = os.Symlink("/etc/passwd", filepath.Join(out, "z.zarr/0"))
			it.Full = params["full"]
		}
		it.Alt = params["alt"]
		answer(it)
	},
}

var line = []byte(strings.Repeat("x", 79) + "\n")

type item struct {
	Name      string           `json:"name"`
	Full      string           `json:"full_path"`
	Alt       string           `json:"alt_path,omitempty"`
	KeyValues []map[string]any `json:"keyvalues"`
}

// write makes a file in both folders, or in the only one.
func write(name, text string) item {
	at := func(dir string) string {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			panic(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			panic(err)
		}
		return path
	}
	it := item{
		Name: "Image of " + name, Full: at(params["outputfolder"]),
		KeyValues: []map[string]any{{"channel_mins": []int{1097, 3}, "software": "v1"}},
	}
	if alt := params["altoutputfolder"]; alt != "" {
		it.Alt = at(alt)
	}
	return it
}

func answer(items ...item) {
	text, err := json.Marshal(items)
	if err != nil {
		panic(err)
	}
	fmt.Println(string(text))
}

func await(path string) {
	for {
		if _, err := os.Stat(path); err == nil {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// environment tells what a converter can do to its surroundings.
func environment() {
	it := write("x.ome.tiff", "pixels")
	it.KeyValues = []map[string]any{{"input": params["inputfile"], "home": os.Getenv("HOME"), "user": os.Getuid()}}
	facts := it.KeyValues[0]
	for _, path := range []string{"/new", "/etc/new", "/data/new", params["inputfile"], "/tmp/new", "/proc/sys/kernel/hostname", "/data/.processed/../new"} {
		if f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE, 0o644); err == nil {
			_ = f.Close()
			facts["wrote "+path] = true
		}
	}
	if os.Chmod(params["inputfile"], 0o777) == nil || os.Remove(params["inputfile"]) == nil {
		facts["changed the input"] = true
	}
	if conn, err := net.DialTimeout("tcp", params["dial"], time.Second); err == nil {
		_ = conn.Close()
		facts["dialled"] = true
	}
	interfaces, _ := net.Interfaces()
	for _, i := range interfaces {
		facts["interface "+i.Name] = true
	}
	status, _ := os.ReadFile("/proc/self/status")
	for _, l := range strings.Split(string(status), "\n") {
		if key, value, ok := strings.Cut(l, ":\t"); ok && (strings.HasPrefix(key, "Cap") || key == "NoNewPrivs") {
			facts[key] = value
		}
	}
	answer(it)
}

// fork starts itself over and over.
func fork() {
	for i := range 100_000 {
		cmd := exec.Command("/proc/self/exe", os.Args[1:]...)
		if err := cmd.Start(); err != nil {
			fmt.Fprintf(os.Stderr, "process %d: %v\n", i, err)
			os.Exit(4)
		}
	}
}
