package main

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

// healthTimeout is below the 3 s that container runtimes are usually told to wait.
const healthTimeout = 2 * time.Second

func healthCommand() *cobra.Command {
	var base string
	var ready bool
	cmd := &cobra.Command{
		Use:   "health",
		Short: "Say whether a server is alive, or ready, by the exit code",
		Long: `Ask a server whether it is alive, or with --ready whether it takes traffic. The exit code is 0 for yes and 1 for no,
as a container's HEALTHCHECK wants it.`,
		Example: `  hark health
  hark health --ready --url http://127.0.0.1:6001/`,
		Args: args(cobra.NoArgs),
	}
	cmd.Flags().StringVar(&base, "url", "", "`URL` of the server (default http://127.0.0.1:6001/, "+
		"with the address from HARK_LISTEN, PORT or the file in HARK_CONFIG)")
	cmd.Flags().BoolVar(&ready, "ready", false, "ask whether it is ready, not only alive")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		address, err := healthURL(base, ready)
		if err != nil {
			return err
		}
		answer, err := askHealth(cmd, address)
		if err != nil {
			return codeError{exitFailed, err}
		}
		_, err = fmt.Fprintln(cmd.OutOrStdout(), printable(answer))
		return err
	}
	return cmd
}

// healthURL returns what to ask. A PUSHER_URL will do as well: what it says of the app is left out.
func healthURL(base string, ready bool) (string, error) {
	if base == "" {
		address, err := localAddress()
		if err != nil {
			return "", codeError{exitFailed, err} // 2 means something else to a container runtime
		}
		base = "http://" + address
	}
	u, err := url.Parse(base)
	if err != nil || u.Host == "" {
		return "", usagef("--url: want an address like http://127.0.0.1:6001/")
	}
	path, _, _ := strings.Cut(u.Path, "/apps/")
	path = strings.TrimRight(path, "/") + "/"
	if ready {
		path += "ready"
	}
	return (&url.URL{Scheme: u.Scheme, Host: u.Host, Path: path}).String(), nil
}

func askHealth(cmd *cobra.Command, address string) (string, error) {
	request, err := http.NewRequestWithContext(cmd.Context(), http.MethodGet, address, nil)
	if err != nil {
		return "", fmt.Errorf("--url: %w", err)
	}
	response, err := (&http.Client{Timeout: healthTimeout}).Do(request)
	if err != nil {
		if e, ok := errors.AsType[*url.Error](err); ok {
			err = e.Err
		}
		return "", fmt.Errorf("%s: %w", address, err)
	}
	defer response.Body.Close()
	const most = 1 << 10
	body, err := io.ReadAll(io.LimitReader(response.Body, most))
	if err != nil {
		return "", fmt.Errorf("%s: %w", address, err)
	}
	text := strings.TrimSpace(string(body))
	if response.StatusCode != http.StatusOK {
		return "", fmt.Errorf("%s: %s %s", address, response.Status, printable(text))
	}
	return text, nil
}
