// The talk's toaster: a page with a switch, and behind it a pin of the board that the app runs on.
package main

import (
	_ "embed"
	"fmt"
	"html/template"
	"log"
	"net/http"
	"os"
	"os/signal"
	"runtime"
	"strconv"
	"syscall"
)

//go:embed page.html
var text string

var page = template.Must(template.New("page").Parse(text))

func main() {
	chip, line := setting("GPIO_CHIP", "/dev/gpiochip0"), setting("GPIO_LINE", "4")
	number, err := strconv.ParseUint(line, 10, 32)
	if err != nil {
		log.Fatalf("GPIO_LINE %s is no number", line)
	}
	toaster, problem := openPin(chip, uint32(number))
	if problem != nil {
		log.Printf("no toaster: %v", problem)
	} else {
		log.Printf("the toaster hangs on line %d of %s", number, chip)
	}
	http.HandleFunc("/", func(answer http.ResponseWriter, request *http.Request) {
		if request.URL.Path != "/" {
			http.NotFound(answer, request)
			return
		}
		facts := map[string]any{"On": toaster.isOn(), "Problem": problem, "Arch": runtime.GOARCH, "Index": os.Getenv("CF_INSTANCE_INDEX")}
		if err := page.Execute(answer, facts); err != nil {
			log.Print(err)
		}
	})
	http.HandleFunc("/on", turn(toaster, true))
	http.HandleFunc("/off", turn(toaster, false))
	http.HandleFunc("/state", func(answer http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(answer, `{"on":%t,"arch":%q,"version":%q}`+"\n", toaster.isOn(), runtime.GOARCH, setting("VERSION", "1"))
	})
	go func() {
		ended := make(chan os.Signal, 1)
		signal.Notify(ended, syscall.SIGTERM)
		<-ended
		if toaster != nil {
			toaster.set(false)
		}
		log.Print("goodbye")
		os.Exit(0)
	}()
	log.Print("listening")
	log.Fatal(http.ListenAndServe(":"+setting("PORT", "8080"), nil))
}

func turn(toaster *pin, on bool) http.HandlerFunc {
	return func(answer http.ResponseWriter, request *http.Request) {
		if request.Method != http.MethodPost {
			http.Error(answer, "POST it", http.StatusMethodNotAllowed)
			return
		}
		if err := toaster.set(on); err != nil {
			http.Error(answer, err.Error(), http.StatusServiceUnavailable)
			return
		}
		log.Printf("toaster on: %t", on)
		// A page's form comes back to its page.
		http.Redirect(answer, request, "/", http.StatusSeeOther)
	}
}

func setting(name, fallback string) string {
	if value := os.Getenv(name); value != "" {
		return value
	}
	return fallback
}
