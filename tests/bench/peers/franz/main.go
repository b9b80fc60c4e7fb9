// A ceiling: franz-go as it comes reads all that is there when it starts, says how many and ends.
//
// The same environment as the Python peers: BOOTSTRAP, FOLLOWERS, CATEGORIES.
package main

import (
	"context"
	"fmt"
	"log"
	"os"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

func now() float64 {
	return float64(time.Now().UnixMilli()) / 1000
}

func main() {
	fmt.Printf("FIRST %.3f\n", now())
	ctx := context.Background()
	topics := []string{os.Getenv("CATEGORIES"), os.Getenv("FOLLOWERS")}
	client, err := kgo.NewClient(kgo.SeedBrokers(os.Getenv("BOOTSTRAP")), kgo.ConsumeTopics(topics...))
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()
	ends, err := kadm.NewClient(client).ListEndOffsets(ctx, topics...)
	if err != nil {
		log.Fatal(err)
	}
	var wanted, count int64
	ends.Each(func(one kadm.ListedOffset) { wanted += one.Offset })
	for count < wanted {
		fetches := client.PollFetches(ctx)
		if errors := fetches.Errors(); len(errors) > 0 {
			log.Fatal(errors)
		}
		count += int64(fetches.NumRecords())
	}
	fmt.Printf("LAST %.3f %d\n", now(), count)
}
