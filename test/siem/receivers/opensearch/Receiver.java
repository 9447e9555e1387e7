// A single OpenSearch node in one process, assembled from jars; the port is its second argument, its home the first.
import java.util.List;
import java.util.Map;
import org.opensearch.common.settings.Settings;
import org.opensearch.env.Environment;
import org.opensearch.ingest.common.IngestCommonPlugin;
import org.opensearch.node.InternalSettingsPreparer;
import org.opensearch.node.Node;
import org.opensearch.script.mustache.MustachePlugin;
import org.opensearch.transport.Netty4Plugin;

public class Receiver extends Node {
  Receiver(Environment environment) {
    super(environment, List.of(Netty4Plugin.class, IngestCommonPlugin.class, MustachePlugin.class), false);
  }

  public static void main(String[] arguments) throws Exception {
    Settings settings = Settings.builder()
        .put("path.home", arguments[0])
        .put("http.type", "netty4").put("transport.type", "netty4")
        .put("http.port", arguments[1]).put("transport.port", "0").put("network.host", "127.0.0.1")
        .put("discovery.type", "single-node")
        .put("cluster.routing.allocation.disk.threshold_enabled", false)
        .build();
    new Receiver(InternalSettingsPreparer.prepareEnvironment(settings, Map.of(), null, () -> "receiver")).start();
    System.in.read();
    System.exit(0);
  }
}
