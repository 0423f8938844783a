package config

import (
	"errors"
	"fmt"
	"reflect"

	"hark/cmd/hark/internal/credentials"
)

// clientEvents is the one setting of the environment's app beside its credentials.
const clientEvents = credentials.OwnGroup + "CLIENT_EVENTS"

// chooseApps decides which apps are served. With Dev that is DevApp alone. Otherwise Hark's own variables add one to those
// of the file, or replace the key of the one with the same id; the variables of others, which a machine may have for its
// clients, count only if there is no app yet.
func (l *loader) chooseApps() {
	sources := &l.config.Sources
	for i := range l.config.Apps {
		sources.Apps = append(sources.Apps, l.at[element("apps", i)])
	}
	if l.options.Dev {
		sources.Unused = sources.Apps
		if _, from, err := credentials.ForServer(l.options.Getenv); err == nil {
			sources.Unused = append(sources.Unused, from)
		}
		l.config.Apps, sources.Apps = []App{DevApp()}, []string{"--dev"}
		return
	}
	app, from, err := l.environmentApp()
	switch {
	case err == nil:
		l.addApp(app, from)
	case !errors.Is(err, credentials.ErrNone):
		l.problem("", "%v", err)
	}
}

func (l *loader) environmentApp() (credentials.App, string, error) {
	if len(l.config.Apps) == 0 {
		return credentials.ForServer(l.options.Getenv)
	}
	app, ok, err := credentials.Group(l.options.Getenv, credentials.OwnGroup)
	if err == nil && !ok {
		err = credentials.ErrNone
	}
	return app, credentials.OwnGroup + "ID", err
}

func (l *loader) addApp(a credentials.App, from string) {
	apps, sources := &l.config.Apps, &l.config.Sources.Apps
	i := 0
	for i < len(*apps) && (*apps)[i].ID != a.ID {
		i++
	}
	if i == len(*apps) {
		*apps, *sources = append(*apps, App{ID: a.ID}), append(*sources, "")
		l.at[element("apps", i)] = from
	}
	app := &(*apps)[i]
	app.Keys = []Key{{Key: a.Key.Key, Secret: a.Key.Secret}}
	(*sources)[i] = from
	l.at[element("apps", i)+".keys[0]"] = from
	delete(l.at, element("apps", i)+".keys[0].key")
	if text := l.options.Getenv(clientEvents); text != "" {
		if err := setScalar(reflect.ValueOf(&app.ClientEvents).Elem(), text, ""); err != nil {
			l.problem(clientEvents, "%v", err)
		}
	}
}

func element(path string, i int) string { return fmt.Sprintf("%s[%d]", path, i) }
