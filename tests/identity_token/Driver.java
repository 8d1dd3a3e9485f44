import java.io.PrintStream;
import java.util.*;

/** Verifies `audience token` lines by the page's program: `ok SUBJECT` or `refused` for each. */
public final class Driver {
    public static void main(String[] key) throws Exception {
        IdentityToken.Key read = key[0].equals("ES256")
                ? IdentityToken.Key.es256(key[2], key[3])
                : IdentityToken.Key.ed25519(key[2]);
        Scanner lines = new Scanner(System.in, "UTF-8");
        // Whatever the locale is: without one, Java writes ASCII.
        PrintStream out = new PrintStream(System.out, true, "UTF-8");
        while (lines.hasNextLine()) {
            String[] line = lines.nextLine().split(" ", -1);
            try {
                Object subject = new IdentityToken(Map.of(key[1], read), line[0]).verify(line[1]).get("sub");
                out.println("ok " + subject);
            } catch (IdentityToken.Refused refused) {
                out.println("refused");
            }
        }
    }
}
