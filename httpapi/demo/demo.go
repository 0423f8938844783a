package demo

import (
	"bytes"
	"embed"
	"html/template"
	"net/http"

	"hark/authz"
)

//go:embed static
var static embed.FS

//go:embed index.html
var index string

var page = template.Must(template.New("index.html").Parse(index))

// policy lets the page load its own files and open websockets, and nothing else: no inline script, no frame around it, no
// text that becomes markup.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self' ws: wss:; " +
	"form-action 'self'; base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'"

// New returns a handler for the paths under /demo/, and for them only.
//
// The page connects to the websocket endpoint beside it with key.Key, and /demo/auth signs with key.Secret, which the page
// never sees. try is a shell command that triggers an event on the public channel "demo", shown for the reader to copy;
// empty: none is shown. The handler may be used concurrently.
func New(key authz.Key, try string) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /demo/{$}", serveBytes(render(key.Key, try)))
	mux.HandleFunc("GET /demo/static/{file}", serveStatic)
	mux.HandleFunc("POST /demo/auth", authorize(key))
	// A page from elsewhere must not get signatures by posting a form in this browser's name.
	return secured(http.NewCrossOriginProtection().Handler(mux))
}

func render(key, try string) []byte {
	var b bytes.Buffer
	if err := page.Execute(&b, struct{ Key, Try string }{key, try}); err != nil {
		panic(err) // the template is in the binary, its two values are strings
	}
	return b.Bytes()
}

func serveBytes(html []byte) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = w.Write(html)
	}
}

func serveStatic(w http.ResponseWriter, r *http.Request) {
	http.ServeFileFS(w, r, static, "static/"+r.PathValue("file"))
}

func secured(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cache-Control", "no-store") // embedded files have no date to revalidate by
		next.ServeHTTP(w, r)
	})
}
