package app

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/sluicegate/sluice"
)

// newKindCommand returns the command of one kind with its verbs.
func newKindCommand[T any](env cliEnv, k cliKind[T]) *cobra.Command {
	cmd, _ := kindCommand(env, k)
	return cmd
}

// kindCommand also returns what the command's flags say, for further verbs.
func kindCommand[T any](env cliEnv, k cliKind[T]) (*cobra.Command, *connection) {
	cmd := &cobra.Command{Use: string(k.kind), Short: "Administer " + string(k.kind) + ": " + k.short}
	conn := &connection{env: env}
	conn.addFlags(cmd)
	cmd.AddCommand(newList(conn, k), newGet(conn, k), newCreate(conn, k), newPatch(conn, k), newApply(conn, k), newDelete(conn, k))
	return cmd, conn
}

// newKeysCommand adds rotation to the verbs of keys.
func newKeysCommand(env cliEnv) *cobra.Command {
	cmd, conn := kindCommand(env, keysCLI)
	var grace time.Duration
	rotate := &cobra.Command{
		Use: "rotate <name or id>", Short: "Give a key a new token and print it, once", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := conn.dial()
			if err != nil {
				return err
			}
			key, err := c.RotateKey(cmd.Context(), conn.tenant, args[0], grace, sluice.WriteOptions{})
			if err != nil {
				return err
			}
			return printOne(conn, keysCLI, key)
		},
	}
	rotate.Flags().DurationVar(&grace, "grace", 0, "how long the old token stays valid, up to 720h")
	cmd.AddCommand(rotate)
	return cmd
}

func newList[T any](conn *connection, k cliKind[T]) *cobra.Command {
	q := sluice.ListQuery{}
	limit := 1000
	cmd := &cobra.Command{
		Use: "list", Aliases: []string{"ls"}, Short: "List " + string(k.kind), Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if limit < 1 {
				return sluice.Errorf(sluice.CodeConfig, "--limit must be at least 1")
			}
			c, err := conn.dial()
			if err != nil {
				return err
			}
			q.Tenant = conn.tenant
			items, more, err := listAll(cmd.Context(), k.of(c), q, limit)
			if err != nil {
				return err
			}
			if more {
				fmt.Fprintf(conn.env.Stderr, "only the first %d are shown; raise --limit or filter\n", len(items))
			}
			return printList(conn, k, items)
		},
	}
	cmd.Flags().StringVar(&q.Search, "search", "", "only those whose name or description contains this")
	cmd.Flags().StringToStringVar(&q.Filter, "filter", nil, "only those with this field, for instance status=disabled")
	cmd.Flags().IntVar(&limit, "limit", limit, "how many to show")
	return cmd
}

func newGet[T any](conn *connection, k cliKind[T]) *cobra.Command {
	return &cobra.Command{
		Use: "get <name or id>", Short: "Show one " + k.singular, Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := conn.dial()
			if err != nil {
				return err
			}
			obj, err := k.of(c).Get(cmd.Context(), conn.tenant, args[0])
			if err != nil {
				return err
			}
			return printOne(conn, k, obj)
		},
	}
}

func newCreate[T any](conn *connection, k cliKind[T]) *cobra.Command {
	var file string
	var dryRun bool
	fields := &fieldFlags[T]{}
	cmd := &cobra.Command{
		Use: "create [name]", Short: "Create one " + k.singular + " from flags, or those of a file", Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			objects, err := fields.objects(cmd, conn.env, file, args)
			if err != nil {
				return err
			}
			c, err := conn.dial()
			if err != nil {
				return err
			}
			for _, obj := range objects {
				setTenant(&obj, conn.tenant)
				out, err := k.of(c).Create(cmd.Context(), obj, sluice.WriteOptions{DryRun: dryRun})
				if err != nil {
					return err
				}
				if err := printOne(conn, k, out); err != nil {
					return err
				}
			}
			return nil
		},
	}
	fields.add(cmd)
	cmd.Flags().StringVarP(&file, "file", "f", "", "YAML or JSON file with one or more documents, - for standard input")
	cmd.Flags().BoolVar(&dryRun, "dry-run", false, "check everything, keep nothing")
	return cmd
}

func newPatch[T any](conn *connection, k cliKind[T]) *cobra.Command {
	fields := &fieldFlags[T]{}
	cmd := &cobra.Command{
		Use: "patch <name or id>", Short: "Change fields of one " + k.singular, Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			patch, err := fields.changed(cmd)
			if err != nil {
				return err
			}
			text, err := json.Marshal(patch)
			if err != nil {
				return fmt.Errorf("encode patch: %w", err)
			}
			c, err := conn.dial()
			if err != nil {
				return err
			}
			out, err := k.of(c).Patch(cmd.Context(), conn.tenant, args[0], text, sluice.WriteOptions{})
			if err != nil {
				return err
			}
			return printOne(conn, k, out)
		},
	}
	fields.add(cmd)
	return cmd
}

func newApply[T any](conn *connection, k cliKind[T]) *cobra.Command {
	var file string
	var dryRun bool
	cmd := &cobra.Command{
		Use: "apply -f <file>", Short: "Create or replace the " + string(k.kind) + " of a file", Args: cobra.NoArgs,
		Long: "Creates or replaces every object of a YAML or JSON file, which may hold several documents or what `list -o yaml` printed. Applying it again changes nothing. Built-in roles are left as they are.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			objects, err := readNamed[T](conn.env, file)
			if err != nil {
				return err
			}
			c, err := conn.dial()
			if err != nil {
				return err
			}
			for _, obj := range objects {
				setTenant(&obj, conn.tenant)
				meta := metaOf(&obj)
				if isBuiltIn(obj) {
					fmt.Fprintf(conn.env.Stderr, "%s %s is built in and stays as it is\n", k.singular, meta.Name)
					continue
				}
				out, created, err := k.of(c).Put(cmd.Context(), meta.Tenant, meta.Name, obj, sluice.WriteOptions{DryRun: dryRun})
				if err != nil {
					return fmt.Errorf("apply %s %s: %w", k.singular, meta.Name, err)
				}
				if err := printApplied(conn, k, out, created, dryRun); err != nil {
					return err
				}
			}
			return nil
		},
	}
	cmd.Flags().StringVarP(&file, "file", "f", "", "YAML or JSON file, - for standard input")
	cmd.Flags().BoolVar(&dryRun, "dry-run", false, "check everything, keep nothing")
	return cmd
}

func newDelete[T any](conn *connection, k cliKind[T]) *cobra.Command {
	return &cobra.Command{
		Use: "delete <name or id>...", Aliases: []string{"rm"}, Short: "Delete " + string(k.kind), Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := conn.dial()
			if err != nil {
				return err
			}
			for _, ref := range args {
				if err := k.of(c).Delete(cmd.Context(), conn.tenant, ref, sluice.WriteOptions{}); err != nil {
					return err
				}
				fmt.Fprintf(conn.env.Stdout, "%s %s deleted\n", k.singular, ref)
			}
			return nil
		},
	}
}

// metaOf returns the Meta of an object; every kind has one.
func metaOf[T any](obj *T) *sluice.Meta { return any(obj).(sluice.Object).GetMeta() }

// isBuiltIn reports an object that `list` shows and nobody can write.
func isBuiltIn(obj any) bool {
	role, ok := obj.(sluice.Role)
	return ok && sluice.BuiltInRole(role.Name) != nil
}

// setTenant puts --tenant into an object that names none.
func setTenant[T any](obj *T, tenant string) {
	if meta := metaOf(obj); meta.Tenant == "" {
		meta.Tenant = tenant
	}
}
