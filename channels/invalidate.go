package channels

import "context"

// Invalidate has every node forget the answers that were remembered about a user,
// "" about everybody (AppConfig.Invalidate): the next time the policies are asked
// they look anew. Revoke, Recheck and Reauthenticate do that by themselves.
//
// When it returns nil, this node has forgotten them. The errors are those of Revoke.
func (a *App) Invalidate(ctx context.Context, userID string) error {
	return a.command(ctx, Control{Do: doInvalidate, User: userID})
}

// forgetAnswers has the application forget the answers that a command makes wrong.
func (a *App) forgetAnswers(cmd *command) {
	forget := a.config.Invalidate
	if forget == nil {
		return
	}
	users := []string{""}
	switch cmd.Do {
	case doBroadcast, doTerminate:
		return
	case doInvalidate:
		users[0] = cmd.User
	default:
		if named := cmd.To.users(); named != nil {
			users = named
		}
	}
	err := a.forgetting.Do(context.Background(), func(context.Context) error {
		for _, id := range users {
			forget(id)
		}
		return nil
	})
	if err != nil {
		a.hub.config.Logger.Error("answers may be remembered that are wrong by now", "app", a.ID(), "error", err)
	}
}

// users returns the users of whom one must be meant, or nil if it may be anybody.
func (s Selector) users() []string {
	if s.Users != nil {
		return s.Users
	}
	for _, inner := range s.All {
		if users := inner.users(); users != nil {
			return users
		}
	}
	return nil
}
