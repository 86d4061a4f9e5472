package store

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// temps lists temporary files below dir.
func temps(t *testing.T, dir string) []string {
	t.Helper()
	var out []string
	must(t, filepath.WalkDir(dir, func(p string, e fs.DirEntry, err error) error {
		if strings.Contains(p, tempMark) {
			out = append(out, p)
		}
		return err
	}))
	return out
}

func TestWriteFileKeepsOldOnError(t *testing.T) {
	dir := t.TempDir()
	p := filepath.Join(dir, "a.json")
	must(t, WriteBytes(p, []byte("old")))
	full := fmt.Errorf("half way: %w", syscall.ENOSPC)
	err := WriteFile(p, func(w io.Writer) error {
		w.Write(bytes.Repeat([]byte("x"), 1<<20)) // beyond the buffer: half of it is on disk
		return full
	})
	if !errors.Is(err, syscall.ENOSPC) || !strings.Contains(err.Error(), p) {
		t.Errorf("got %v", err)
	}
	if b, _ := os.ReadFile(p); string(b) != "old" {
		t.Errorf("the old file is gone: %q", b)
	}
	if left := temps(t, dir); len(left) > 0 {
		t.Errorf("left %v", left)
	}
	must(t, WriteBytes(p, []byte("new")))
	if b, _ := os.ReadFile(p); string(b) != "new" {
		t.Errorf("got %q", b)
	}
	if runtime.GOOS != "windows" {
		if st, _ := os.Stat(p); st.Mode().Perm() != 0o644 {
			t.Errorf("mode %v", st.Mode())
		}
	}
}

func TestWriteFilePanicLeavesNothing(t *testing.T) {
	dir := t.TempDir()
	func() {
		defer func() { recover() }()
		WriteFile(filepath.Join(dir, "a"), func(io.Writer) error { panic("boom") })
	}()
	if left := temps(t, dir); len(left) > 0 {
		t.Errorf("left %v", left)
	}
}

func TestRunDirStages(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run")
	d, err := Open(dir)
	must(t, err)
	if done, err := d.Done("pretrain", "h1"); done || err != nil {
		t.Fatalf("%v %v", done, err)
	}
	if err := d.Finish("pretrain", "h1", "encoder.safetensors"); err == nil {
		t.Error("finished without its file")
	}
	must(t, d.Write("encoder.safetensors", func(w io.Writer) error { return WriteTensors(w, nil, nil) }))
	must(t, d.Write("views/a/b.html", func(w io.Writer) error { _, err := io.WriteString(w, "x"); return err }))
	must(t, d.Finish("pretrain", "h1", "encoder.safetensors", "views/a/b.html"))
	must(t, d.Close())

	d, err = Open(dir)
	must(t, err)
	defer d.Close()
	if done, err := d.Done("pretrain", "h1"); !done || err != nil {
		t.Errorf("%v %v", done, err)
	}
	done, err := d.Done("pretrain", "h2")
	if done || !errors.Is(err, ErrChanged) || !strings.Contains(err.Error(), "inputs h1, now they are h2") {
		t.Errorf("%v %v", done, err)
	}
	st, err := d.Stages()
	must(t, err)
	if len(st) != 1 || st[0].Stage != "pretrain" || st[0].Inputs != "h1" || len(st[0].Files) != 2 || time.Since(st[0].Time) > time.Hour {
		t.Errorf("%+v", st)
	}
	must(t, os.Remove(d.File("views", "a", "b.html")))
	if done, err := d.Done("pretrain", "h1"); done || err != nil {
		t.Errorf("done without its file: %v %v", done, err)
	}
	must(t, d.Forget("pretrain"))
	must(t, d.Forget("pretrain"))
	if done, err := d.Done("pretrain", "h2"); done || err != nil {
		t.Errorf("%v %v", done, err)
	}
	for _, bad := range []string{"", "../x", "A"} {
		if err := d.Finish(bad, "h"); err == nil {
			t.Errorf("stage %q accepted", bad)
		}
	}
	must(t, os.WriteFile(d.File(StagesDir, "audit.done.json"), []byte("{"), 0o644))
	if _, err := d.Done("audit", "h"); err == nil || !strings.Contains(err.Error(), "audit.done.json") {
		t.Errorf("torn marker: %v", err)
	}
}

// TestLeftovers puts into a directory what kills at any instant leave.
func TestLeftovers(t *testing.T) {
	dir := t.TempDir()
	d, err := Open(dir)
	must(t, err)
	must(t, d.Events().Add("pretrain", "step", map[string]any{"loss": 1.5}))
	must(t, d.Write("checkpoints/1.safetensors", func(w io.Writer) error { return WriteTensors(w, nil, nil) }))
	must(t, d.Close())
	for _, p := range []string{"recipe.yaml" + tempMark + "1", "checkpoints/2.safetensors" + tempMark + "77", "stages/pretrain.done.json" + tempMark + "3"} {
		must(t, os.WriteFile(filepath.Join(dir, filepath.FromSlash(p)), []byte("half"), 0o600))
	}
	f, err := os.OpenFile(filepath.Join(dir, EventsFile), os.O_APPEND|os.O_WRONLY, 0)
	must(t, err)
	f.WriteString(`{"time":"2026-01-01T00:00:00Z","stage":"pre`)
	must(t, f.Close())

	var before int
	must(t, ReadEvents(filepath.Join(dir, EventsFile), func(Event) error { before++; return nil }))
	if before != 1 {
		t.Errorf("a torn line was read: %d events", before)
	}
	d, err = Open(dir)
	must(t, err)
	defer d.Close()
	if len(d.Cleaned()) != 3 || len(temps(t, dir)) != 0 {
		t.Errorf("cleaned %v, left %v", d.Cleaned(), temps(t, dir))
	}
	must(t, d.Events().Add("pretrain", "end", nil))
	var kinds []string
	must(t, ReadEvents(d.File(EventsFile), func(e Event) error { kinds = append(kinds, e.Kind); return nil }))
	if d := cmp.Diff([]string{"step", "end"}, kinds); d != "" {
		t.Error(d)
	}
	if !d.Has("checkpoints", "1.safetensors") {
		t.Error("a whole checkpoint was removed")
	}
}

func TestOpenRefusesForeignFolder(t *testing.T) {
	dir := t.TempDir()
	must(t, os.WriteFile(filepath.Join(dir, "holiday.jpg"), nil, 0o644))
	if _, err := Open(dir); !errors.Is(err, ErrNotRun) || !strings.Contains(err.Error(), "holiday.jpg") {
		t.Errorf("got %v", err)
	}
	if left, _ := os.ReadDir(dir); len(left) != 1 {
		t.Errorf("something was written: %v", left)
	}
	must(t, os.WriteFile(filepath.Join(dir, RecipeFile), nil, 0o644))
	d, err := Open(dir)
	must(t, err)
	must(t, d.Close())
	must(t, d.Close())
}

const helperEnv = "SELFSAME_STORE_TEST_HOLD"

// TestHelperHold is the other process of TestLock: it opens the directory and waits to be killed.
func TestHelperHold(t *testing.T) {
	dir := os.Getenv(helperEnv)
	if dir == "" {
		t.Skip("only as a child process")
	}
	d, err := Open(dir)
	must(t, err)
	defer d.Close()
	fmt.Println("holding")
	io.Copy(io.Discard, os.Stdin) // until the parent closes or kills
}

func TestLock(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("the lock goes by process id there")
	}
	dir := t.TempDir()
	cmd := exec.Command(os.Args[0], "-test.run=^TestHelperHold$")
	cmd.Env = append(os.Environ(), helperEnv+"="+dir)
	in, err := cmd.StdinPipe()
	must(t, err)
	defer in.Close()
	out, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	b := make([]byte, len("holding"))
	_, err = io.ReadFull(out, b)
	must(t, err)
	_, err = Open(dir)
	if !errors.Is(err, ErrLocked) || !strings.Contains(err.Error(), fmt.Sprintf("process %d", cmd.Process.Pid)) {
		t.Errorf("got %v", err)
	}
	must(t, cmd.Process.Kill()) // SIGKILL: the child cleans nothing up
	cmd.Wait()
	d, err := Open(dir)
	if err != nil {
		t.Fatalf("the lock of a killed process holds: %v", err)
	}
	if _, err := Open(dir); !errors.Is(err, ErrLocked) {
		t.Errorf("opened twice in one process: %v", err)
	}
	must(t, d.Close())
}

const writeEnv = "SELFSAME_STORE_TEST_WRITE"

// payload is a file content that shows whether it is whole.
func payload(n int) []byte {
	b := bytes.Repeat([]byte{byte(n)}, 200_000)
	return append(b, fmt.Sprintf("end %d", n)...)
}

// TestHelperWrite is the process that TestKillWhileWriting kills.
func TestHelperWrite(t *testing.T) {
	dir := os.Getenv(writeEnv)
	if dir == "" {
		t.Skip("only as a child process")
	}
	d, err := Open(dir)
	must(t, err)
	for n := 0; ; n++ {
		must(t, d.Write("file", func(w io.Writer) error { _, err := w.Write(payload(n % 100)); return err }))
		must(t, d.Events().Add("pretrain", "step", map[string]any{"n": n}))
		fmt.Println(n)
	}
}

func TestKillWhileWriting(t *testing.T) {
	dir := t.TempDir()
	for kill := range 4 {
		cmd := exec.Command(os.Args[0], "-test.run=^TestHelperWrite$")
		cmd.Env = append(os.Environ(), writeEnv+"="+dir)
		out, err := cmd.StdoutPipe()
		must(t, err)
		must(t, cmd.Start())
		lines := bufio.NewReader(out)
		for range 3*kill + 1 { // it goes on writing while it is killed
			_, err := lines.ReadString('\n')
			must(t, err)
		}
		must(t, cmd.Process.Kill())
		cmd.Wait()

		d, err := Open(dir)
		must(t, err)
		b, err := os.ReadFile(d.File("file"))
		must(t, err)
		if !bytes.Equal(b, payload(int(b[0]))) {
			t.Errorf("kill %d: a torn file of %d bytes", kill, len(b))
		}
		must(t, ReadEvents(d.File(EventsFile), func(Event) error { return nil }))
		if left := temps(t, dir); len(left) > 0 {
			t.Errorf("left %v", left)
		}
		must(t, d.Close())
	}
}

// TestLockByPID covers file systems without flock.
func TestLockByPID(t *testing.T) {
	dir := t.TempDir()
	p := filepath.Join(dir, lockFile)
	d := &RunDir{path: dir}
	must(t, os.WriteFile(p, []byte("1\n"), 0o644)) // process 1 always lives
	if err := d.acquireByPID(p); !errors.Is(err, ErrLocked) && runtime.GOOS != "windows" {
		t.Errorf("got %v", err)
	}
	cmd := exec.Command(os.Args[0], "-test.run=^$")
	must(t, cmd.Run())
	must(t, os.WriteFile(p, []byte(fmt.Sprint(cmd.Process.Pid)), 0o644)) // its process is gone
	must(t, d.acquireByPID(p))
	must(t, d.Close())
	if b, _ := os.ReadFile(p); len(b) != 0 {
		t.Errorf("lock still says %q", b)
	}
}

func TestEventsValues(t *testing.T) {
	p := filepath.Join(t.TempDir(), EventsFile)
	e, err := OpenEvents(p)
	must(t, err)
	e.now = func() time.Time { return time.Date(2026, 1, 2, 3, 4, 5, 6_789_000, time.FixedZone("", 3600)) }
	var told []string
	e.Tell(func(ev Event) { told = append(told, ev.Kind) })
	data := map[string]any{"loss": math.NaN(), "f": float32(1), "list": []float64{1, math.Inf(1)}, "by": map[string]float64{"a": math.Inf(-1)}, "s": "a\nb <é>"}
	must(t, e.Add("pretrain", "step", data))
	if !math.IsNaN(data["loss"].(float64)) {
		t.Error("the caller's map was changed")
	}
	if err := e.Add("x", "y", map[string]any{"c": make(chan int)}); err == nil {
		t.Error("a channel was written")
	}
	if err := e.Add("x", "y", map[string]any{"s": strings.Repeat("a", maxEvent)}); err == nil {
		t.Error("a huge line was written")
	}
	must(t, e.Sync())
	must(t, e.Close())
	b, _ := os.ReadFile(p)
	want := `{"time":"2026-01-02T02:04:05.006Z","stage":"pretrain","kind":"step","data":{"by":{"a":null},"f":1,"list":[1,null],"loss":null,"s":"a\nb \u003cé\u003e"}}` + "\n"
	if string(b) != want {
		t.Errorf("got  %swant %s", b, want)
	}
	if len(told) != 1 {
		t.Errorf("told %v", told)
	}
}

func TestEventsDiskFull(t *testing.T) {
	f, err := os.OpenFile("/dev/full", os.O_RDWR, 0)
	if err != nil {
		t.Skip("no /dev/full here")
	}
	e := &Events{f: f, now: time.Now}
	if err := e.Add("pretrain", "step", nil); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("got %v", err)
	}
	f.Close()
}

func TestReadEventsErrors(t *testing.T) {
	for in, want := range map[string]string{
		"{}\nnot json\n":                       "x:2:",
		strings.Repeat("a", maxEvent+1) + "\n": "x:1: line longer",
	} {
		err := readEvents(strings.NewReader(in), "x", func(Event) error { return nil })
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
	stop := errors.New("stop")
	if err := readEvents(strings.NewReader("{}\n{}\n"), "x", func(Event) error { return stop }); err != stop {
		t.Errorf("got %v", err)
	}
}

func encodeTensors(t failer, list []Tensor, meta map[string]string) []byte {
	var b bytes.Buffer
	if err := WriteTensors(&b, list, meta); err != nil {
		t.Fatalf("%v", err)
	}
	return b.Bytes()
}

type failer interface{ Fatalf(string, ...any) }

func TestTensorsRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var list []Tensor
		names := rapid.SliceOfNDistinct(rapid.StringMatching(`[a-z/._ä"\\]{1,12}`), 0, 6, rapid.ID[string]).Draw(t, "names")
		for _, n := range names {
			shape := rapid.SliceOfN(rapid.IntRange(0, 4), 0, 4).Draw(t, "shape")
			size := 1
			for _, d := range shape {
				size *= d
			}
			tn := Tensor{Name: n, Shape: shape, DType: rapid.SampledFrom([]DType{U8, I32, I64, F16, BF16, F32}).Draw(t, "type")}
			switch tn.DType {
			case U8:
				tn.Data = rapid.SliceOfN(rapid.Uint8(), size, size).Draw(t, "d")
			case I32:
				tn.Data = rapid.SliceOfN(rapid.Int32(), size, size).Draw(t, "d")
			case I64:
				tn.Data = rapid.SliceOfN(rapid.Int64(), size, size).Draw(t, "d")
			case F16, BF16:
				tn.Data = rapid.SliceOfN(rapid.Uint16(), size, size).Draw(t, "d")
			case F32:
				tn.Data = rapid.SliceOfN(rapid.Float32(), size, size).Draw(t, "d")
			}
			list = append(list, tn)
		}
		meta := rapid.MapOfN(rapid.String(), rapid.String(), 0, 3).Draw(t, "meta")
		b := encodeTensors(t, list, meta)
		if binary.LittleEndian.Uint64(b)%8 != 0 {
			t.Fatalf("data not aligned")
		}
		got, err := DecodeTensors(bytes.NewReader(b), int64(len(b)))
		if err != nil {
			t.Fatalf("%v", err)
		}
		if len(got.List) != len(list) || len(got.Meta) != len(meta) {
			t.Fatalf("%d tensors, %d metadata", len(got.List), len(got.Meta))
		}
		for k, v := range meta {
			if got.Meta[k] != v {
				t.Fatalf("metadata %q: %q", k, got.Meta[k])
			}
		}
		for _, want := range list {
			if d := cmp.Diff(&want, got.Get(want.Name)); d != "" {
				t.Fatalf("%s", d)
			}
		}
		if !bytes.Equal(encodeTensors(t, got.List, got.Meta), b) {
			t.Fatalf("bytes differ when written again")
		}
	})
}

func TestTensorsAcrossChunks(t *testing.T) {
	p := filepath.Join(t.TempDir(), "w.safetensors")
	d := make([]float32, 2*chunk+7)
	for i := range d {
		d[i] = float32(i) / 3
	}
	must(t, SaveTensors(p, []Tensor{{"w", F32, []int{len(d)}, d}}, map[string]string{"format": "selfsame"}))
	got, err := ReadTensors(p)
	must(t, err)
	back, err := got.Get("w").F32Data(len(d))
	must(t, err)
	if !cmp.Equal(d, back) {
		t.Error("differs")
	}
	if _, err := got.Get("w").F32Data(3); !errors.Is(err, ErrTensors) {
		t.Errorf("got %v", err)
	}
	if _, err := got.Get("no").F32Data(3); !errors.Is(err, ErrTensors) {
		t.Errorf("got %v", err)
	}
}

func TestWriteTensorsErrors(t *testing.T) {
	for name, list := range map[string][]Tensor{
		"duplicate":   {{"a", U8, nil, []uint8{1}}, {"a", F32, nil, []float32{1}}},
		"reserved":    {{metaKey, U8, nil, []uint8{1}}},
		"length":      {{"a", F32, []int{3}, []float32{1}}},
		"wrong slice": {{"a", F32, []int{1}, []int32{1}}},
		"negative":    {{"a", U8, []int{-1, -1}, []uint8{1}}},
		"utf8":        {{"\xff", U8, nil, []uint8{1}}},
	} {
		if err := WriteTensors(io.Discard, list, nil); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

// file builds a safetensors file from a header text and n data bytes.
func file(head string, n int) []byte {
	b := binary.LittleEndian.AppendUint64(nil, uint64(len(head)))
	return append(append(b, head...), make([]byte, n)...)
}

var badTensors = map[string]struct {
	in   []byte
	want string
}{
	"empty":          {nil, "0 bytes"},
	"short":          {[]byte("1234567"), "7 bytes"},
	"huge header":    {binary.LittleEndian.AppendUint64(nil, math.MaxUint64), "limit 100000000"},
	"long header":    {append(binary.LittleEndian.AppendUint64(nil, 100), "{}"...), "header of 100 bytes in a file of 10"},
	"not json":       {file("{]", 0), "invalid character"},
	"not object":     {file("[]", 0), "does not begin with {"},
	"zero header":    {file("", 0), "does not begin with {"},
	"not utf8":       {file("{\"\xff\":1}", 0), "UTF-8"},
	"text after":     {file("{} {}", 0), "text after"},
	"duplicate":      {file(`{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"a":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}}`, 2), "twice"},
	"overlap":        {file(`{"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},"b":{"dtype":"U8","shape":[2],"data_offsets":[1,3]}}`, 3), "starts at 1"},
	"gap":            {file(`{"a":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}}`, 2), "starts at 1"},
	"beyond":         {file(`{"a":{"dtype":"U8","shape":[9],"data_offsets":[0,9]}}`, 8), "ends at 9, the data at 8"},
	"data after":     {file(`{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}`, 2), "tensors end at 1, the data at 2"},
	"wrong size":     {file(`{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,1]}}`, 1), "do not fit"},
	"reversed":       {file(`{"a":{"dtype":"U8","shape":[1],"data_offsets":[1,0]}}`, 1), "do not fit"},
	"unknown type":   {file(`{"a":{"dtype":"F8_E4M3","shape":[1],"data_offsets":[0,1]}}`, 1), `"F8_E4M3" is not supported`},
	"negative dim":   {file(`{"a":{"dtype":"U8","shape":[-1,-1],"data_offsets":[0,1]}}`, 1), "negative"},
	"overflow":       {file(`{"a":{"dtype":"U8","shape":[2147483647,2147483647,2147483647],"data_offsets":[0,1]}}`, 1), "overflows"},
	"big dim":        {file(`{"a":{"dtype":"U8","shape":[99999999999],"data_offsets":[0,1]}}`, 1), "above"},
	"float dim":      {file(`{"a":{"dtype":"U8","shape":[1.5],"data_offsets":[0,1]}}`, 1), "cannot unmarshal"},
	"no shape":       {file(`{"a":{"dtype":"U8","data_offsets":[0,1]}}`, 1), "wants dtype, shape"},
	"one offset":     {file(`{"a":{"dtype":"U8","shape":[1],"data_offsets":[0]}}`, 1), "two data_offsets"},
	"unknown field":  {file(`{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1],"x":1}}`, 1), "unknown field"},
	"meta not texts": {file(`{"__metadata__":{"a":1}}`, 0), "metadata"},
	"high rank":      {file(`{"a":{"dtype":"U8","shape":[`+strings.Repeat("1,", 40)+`1],"data_offsets":[0,1]}}`, 1), "rank 41"},
}

func TestReadTensorsErrors(t *testing.T) {
	for name, c := range badTensors {
		_, err := DecodeTensors(bytes.NewReader(c.in), int64(len(c.in)))
		if !errors.Is(err, ErrTensors) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %s", name, err, c.want)
		}
	}
	p := filepath.Join(t.TempDir(), "x.safetensors")
	must(t, os.WriteFile(p, []byte("{}"), 0o644))
	if _, err := ReadTensors(p); !errors.Is(err, ErrTensors) || !strings.Contains(err.Error(), p) {
		t.Errorf("got %v", err)
	}
}

// TestReadTensorsReference: a file as other writers lay it out, keys unsorted, spaces at the
// end, an empty tensor and a scalar; bytes by hand from the format's description.
func TestReadTensorsReference(t *testing.T) {
	in := file(`{"z":{"shape":[],"dtype":"F32","data_offsets":[0,4]},"__metadata__":{"format":"pt"},`+
		`"none":{"dtype":"I64","shape":[0,3],"data_offsets":[4,4]},"a":{"dtype":"BF16","shape":[1,2],"data_offsets":[4,8]}}   `, 8)
	copy(in[len(in)-8:], "\x00\x00\x80\x3f\x80\x3f\x00\xc0")
	got, err := DecodeTensors(bytes.NewReader(in), int64(len(in)))
	must(t, err)
	want := &Tensors{Meta: map[string]string{"format": "pt"}, List: []Tensor{
		{"z", F32, []int{}, []float32{1}}, {"none", I64, []int{0, 3}, []int64{}}, {"a", BF16, []int{1, 2}, []uint16{0x3f80, 0xc000}}}}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

func FuzzDecodeTensors(f *testing.F) {
	for _, c := range badTensors {
		f.Add(c.in)
	}
	f.Add(encodeTensors(f, []Tensor{{"a", F32, []int{2}, []float32{1, 2}}, {"b", U8, []int{0}, []uint8{}}}, map[string]string{"k": "v"}))
	f.Fuzz(func(t *testing.T, b []byte) {
		got, err := DecodeTensors(bytes.NewReader(b), int64(len(b)))
		if err != nil {
			if !errors.Is(err, ErrTensors) {
				t.Fatalf("not ErrTensors: %v", err)
			}
			return
		}
		again := encodeTensors(t, got.List, got.Meta)
		back, err := DecodeTensors(bytes.NewReader(again), int64(len(again)))
		if err != nil || len(back.List) != len(got.List) {
			t.Fatalf("%v", err)
		}
	})
}

func TestScores(t *testing.T) {
	rows := []Score{
		{"ssl", "classes", "knn", 0, 0, 0.8283},
		{`odd, "name"`, "a\nb", "linear", 100, 4, 1. / 3},
		{"raw-pixels", "classes", "lem", 20, 1, math.Inf(1)},
		{"x", "y", "z", 1, 2, 1e-9},
	}
	p := filepath.Join(t.TempDir(), ScoresFile)
	must(t, SaveScores(p, rows))
	b, _ := os.ReadFile(p)
	want := "method,task,metric,budget,seed,value\nssl,classes,knn,0,0,0.8283\n\"odd, \"\"name\"\"\",\"a\nb\",linear,100,4,0.3333333333333333\nraw-pixels,classes,lem,20,1,+Inf\nx,y,z,1,2,1e-09\n"
	if string(b) != want {
		t.Errorf("got\n%s", b)
	}
	back, err := ReadScores(p)
	must(t, err)
	if d := cmp.Diff(rows, back); d != "" {
		t.Error(d)
	}
	for in, want := range map[string]string{
		"": "first line", "a,b,c,d,e,f\n": "first line",
		"method,task,metric,budget,seed,value\na,b,c,x,1,1\n":    "s.csv:2:7: budget",
		"method,task,metric,budget,seed,value\na,b,c,1,1\n":      "wrong number of fields",
		"method,task,metric,budget,seed,value\na,b,c,1,1,zwei\n": "s.csv:2:11: value",
	} {
		if _, err := decodeScores(strings.NewReader(in), "s.csv"); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %s", in, err, want)
		}
	}
}

func TestNPY(t *testing.T) {
	dir := t.TempDir()
	p := filepath.Join(dir, "e.npy")
	w, err := CreateNPY(p, 3)
	must(t, err)
	if _, err := os.Stat(p); err == nil {
		t.Error("visible before Commit")
	}
	must(t, w.Write([]float32{1, 2, 3}))
	must(t, w.Write([]float32{4, 5, 6, 7, 8, 9}))
	if err := w.Write([]float32{1}); err == nil {
		t.Error("part of a row accepted")
	}
	must(t, w.Commit())
	w.Abort()
	b, _ := os.ReadFile(p)
	head := "\x93NUMPY\x01\x00\x76\x00{'descr': '<f4', 'fortran_order': False, 'shape': (3, 3), }"
	if len(b) != 128+9*4 || !strings.HasPrefix(string(b), head) || b[127] != '\n' {
		t.Fatalf("%d bytes, %q", len(b), b[:128])
	}
	for i := range 9 {
		if v := math.Float32frombits(binary.LittleEndian.Uint32(b[128+4*i:])); v != float32(i+1) {
			t.Errorf("element %d is %g", i, v)
		}
	}
	w, err = CreateNPY(filepath.Join(dir, "one.npy"))
	must(t, err)
	must(t, w.Write(make([]float32, 20_000)))
	must(t, w.Commit())
	if b, _ := os.ReadFile(filepath.Join(dir, "one.npy")); !strings.Contains(string(b[:128]), "(20000,)") {
		t.Errorf("%q", b[:128])
	}
	w, err = CreateNPY(filepath.Join(dir, "no.npy"), 2, 2)
	must(t, err)
	w.Abort()
	if err := w.Commit(); err == nil {
		t.Error("committed after Abort")
	}
	if len(temps(t, dir)) != 0 {
		t.Errorf("left %v", temps(t, dir))
	}
	if _, err := CreateNPY(p, -1); err == nil {
		t.Error("negative row accepted")
	}
}
